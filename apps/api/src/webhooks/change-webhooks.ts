/** POST /webhooks, PATCH and DELETE /webhooks/{id}, POST /webhooks/{id}/signing-secret/rotate. */
import {
  newWebhookId,
  deleteWebhook as removeWebhook,
  rotateWebhookSecret,
  updateWebhook as storeChanges,
  createWebhook as storeWebhook,
} from '@postel/db/queries/webhooks'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { noWebhook } from './read-webhooks.ts'
import { changedReply, createdReply, deletedReply } from './replies.ts'
import { createRequest, updateRequest } from './requests.ts'
import { newSigningSecret } from './signing-secret.ts'

/** Each event is told to each of them. */
const webhooksMax = 100
const overlapHours = 24

export const createWebhook = ({ sql, secretBox, webhooksAllowPrivate }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/webhooks',
    id: 'createWebhook',
    tag: 'Webhooks',
    summary: 'Create a webhook',
    description:
      'It is told of what happens from then on: in the project where the caller acts in one, else in the whole organization. Bodies are signed by Standard Webhooks, under its header names and those of Svix.',
    access: 'write',
    body: bodyOf(createRequest(webhooksAllowPrivate)),
    status: 201,
    reply: createdReply,
    serve: async ({ caller, body }) => {
      const owner = tenantOf(caller)
      const id = await newWebhookId(sql)
      const secret = newSigningSecret(secretBox, id)
      const webhook = { id, ...body, secret: secret.sealed }
      if (!(await storeWebhook(sql, caller.actor, owner, webhook, webhooksMax)))
        throw new Problem('validation_error', `An organization can have ${webhooksMax} webhooks.`)
      return { object: 'webhook', id, signing_secret: secret.shown }
    },
  })

export const updateWebhook = ({ sql, webhooksAllowPrivate }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/webhooks/{id}',
    id: 'updateWebhook',
    tag: 'Webhooks',
    summary: 'Change a webhook',
    description:
      'A webhook that is disabled is told nothing. Enabled again, it is told of what happens from then on, and of what was still to be told.',
    access: 'write',
    params: uuidPath,
    body: bodyOf(updateRequest(webhooksAllowPrivate)),
    reply: changedReply,
    problems: [404],
    serve: async ({ caller, params: { id }, body }) => {
      const { endpoint, events, status } = body
      const changes = { ...(endpoint && { endpoint }), ...(events && { events }), ...(status && { status }) }
      if (!(await storeChanges(sql, caller.actor, tenantOf(caller), id, changes))) throw noWebhook()
      return { object: 'webhook', id }
    },
  })

export const deleteWebhook = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/webhooks/{id}',
    id: 'deleteWebhook',
    tag: 'Webhooks',
    summary: 'Delete a webhook',
    access: 'write',
    params: uuidPath,
    reply: deletedReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      if (!(await removeWebhook(sql, caller.actor, tenantOf(caller), id))) throw noWebhook()
      return { object: 'webhook', id, deleted: true }
    },
  })

export const rotateSecret = ({ sql, secretBox }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/webhooks/{id}/signing-secret/rotate',
    id: 'rotateWebhookSigningSecret',
    tag: 'Webhooks',
    summary: 'Replace the signing secret',
    description: `For ${overlapHours} hours bodies are signed with the one before as well.`,
    access: 'write',
    params: uuidPath,
    reply: createdReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const secret = newSigningSecret(secretBox, id)
      if (!(await rotateWebhookSecret(sql, caller.actor, tenantOf(caller), id, secret.sealed, overlapHours)))
        throw noWebhook()
      return { object: 'webhook', id, signing_secret: secret.shown }
    },
  })
