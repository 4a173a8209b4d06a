/** POST /organizations, PATCH and DELETE /organizations/{id}. */
import {
  countAdministered,
  createOrganization as create,
  findOrganization,
  deleteOrganization as remove,
  renameOrganization as rename,
} from '@postel/db/queries/organizations'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { type Caller, mayUse } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { nameField } from '../fields.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { ownCaller } from '../people/own-caller.ts'
import { Problem } from '../problem.ts'
import { noOrganization, scopeOf, shown } from './read-organizations.ts'
import { changedOrganizationReply, deletedOrganizationReply, organizationReply } from './replies.ts'

/** That one person may make where anybody may have an account. */
const ownMax = 10

const organizationRequest = z.object({ name: nameField })

export const createOrganization = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/organizations',
    id: 'createOrganization',
    tag: 'Organizations',
    summary: 'Create an organization',
    description:
      'For operators; with AUTH_SIGNUP=open for people too, who become its admin. Operators invite its first admin.',
    access: 'own',
    body: bodyOf(organizationRequest),
    reply: organizationReply,
    problems: [401, 403, 404, 409, 429],
    serve: async (ask) => {
      const { name } = ask.body
      const caller = await ownCaller(context, ask)
      const adminId = await firstAdmin(context, caller)
      const id = await create(context.sql, caller.actor, name, adminId)
      return shown((await findOrganization(context.sql, scopeOf(caller), id))!)
    },
  })

async function firstAdmin({ sql, people }: ApiContext, caller: Caller): Promise<string | null> {
  if (caller.role === 'operator') return null
  const id = caller.credential === null ? caller.actor.id : null
  if (people.signUp !== 'open' || id === null)
    throw new Problem('invalid_permission', 'Only operators of the platform create organizations.')
  if ((await countAdministered(sql, id)) >= ownMax)
    throw new Problem('resource_locked', `You are an admin of ${ownMax} organizations already.`)
  return id
}

export const updateOrganization = (context: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/organizations/{id}',
    id: 'updateOrganization',
    tag: 'Organizations',
    summary: 'Rename an organization',
    access: 'own',
    params: uuidPath,
    body: bodyOf(organizationRequest),
    reply: changedOrganizationReply,
    problems: [401, 403, 404, 429],
    serve: async (ask) => {
      const { id } = ask.params
      const { name } = ask.body
      const caller = await administratorOf(context, ask, id)
      if (!(await rename(context.sql, caller.actor, id, name))) throw noOrganization()
      return { object: 'organization', id }
    },
  })

export const deleteOrganization = (context: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/organizations/{id}',
    id: 'deleteOrganization',
    tag: 'Organizations',
    summary: 'Delete an empty organization',
    description: 'One with projects, domains or keys is refused: its mail is on record.',
    access: 'own',
    params: uuidPath,
    reply: deletedOrganizationReply,
    problems: [401, 403, 404, 409, 429],
    serve: async (ask) => {
      const { id } = ask.params
      const caller = await administratorOf(context, ask, id)
      const outcome = await remove(context.sql, caller.actor, id)
      if (outcome === 'unknown') throw noOrganization()
      if (outcome === 'in_use')
        throw new Problem('resource_locked', 'The organization still has projects, domains or API keys.')
      return { object: 'organization', id, deleted: true }
    },
  })

/** The caller, who administers this organization whichever else the request names. */
async function administratorOf(
  context: ApiContext,
  ask: { request: Request; response: Response },
  id: string,
): Promise<Caller> {
  const caller = await ownCaller(context, ask)
  const found = await findOrganization(context.sql, scopeOf(caller), id)
  if (!found) throw noOrganization()
  const allowed = caller.credential ? mayUse(caller.role, 'administer') : found.role === 'admin'
  if (!allowed && caller.role !== 'operator')
    throw new Problem('invalid_permission', 'This needs more rights than you have here.')
  if (found.status === 'frozen' && caller.role !== 'operator')
    throw new Problem('suspended_api_key', 'This organization is frozen: it can be read, and nothing else.')
  return caller
}
