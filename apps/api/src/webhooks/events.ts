/** What webhooks were told: GET /webhooks/{id}/events, one of them, its attempts; replay; test events. */
import {
  addTestEvent,
  findWebhook,
  findWebhookEvent,
  listWebhookAttempts as readAttempts,
  listWebhookEvents as readEvents,
  replayWebhookEvent,
  type WebhookEventSummary,
} from '@postel/db/queries/webhooks'
import { z } from 'zod'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage, uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { noWebhook } from './read-webhooks.ts'
import { attemptsReply, sentEventReply, webhookEventReply, webhookEventsReply } from './replies.ts'
import { testRequest } from './requests.ts'
import { sampleEvent } from './sample-event.ts'

const eventPath = z.object({ ...uuidPath.shape, eventId: uuidPath.shape.id })
const kept = 'Kept for 30 days.'

const noEvent = () => new Problem('not_found', 'Webhook event not found.')

export const listEvents = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/webhooks/{id}/events',
    id: 'listWebhookEvents',
    tag: 'Webhooks',
    summary: 'List what a webhook was told, newest first',
    description: kept,
    access: 'read',
    params: uuidPath,
    query: uuidPage,
    reply: webhookEventsReply,
    problems: [404],
    serve: async ({ caller, params: { id }, query }) => {
      const page = await readEvents(sql, tenantOf(caller), id, oneCursor(query))
      if (!page) throw noWebhook()
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(show) }
    },
  })

export const getEvent = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/webhooks/{id}/events/{eventId}',
    id: 'getWebhookEvent',
    tag: 'Webhooks',
    summary: 'Get what a webhook was told',
    description: kept,
    access: 'read',
    params: eventPath,
    reply: webhookEventReply,
    problems: [404],
    serve: async ({ caller, params: { id, eventId } }) => {
      const event = await findWebhookEvent(sql, tenantOf(caller), id, eventId)
      if (!event) throw noEvent()
      return {
        object: 'webhook_event',
        ...show(event),
        next_attempt_at: event.nextAttemptAt,
        payload: JSON.parse(event.payload) as Record<string, unknown>,
      }
    },
  })

export const listAttempts = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/webhooks/{id}/events/{eventId}/attempts',
    id: 'listWebhookEventAttempts',
    tag: 'Webhooks',
    summary: 'List the attempts to tell a webhook, newest first',
    description: kept,
    access: 'read',
    params: eventPath,
    query: uuidPage,
    reply: attemptsReply,
    problems: [404],
    serve: async ({ caller, params: { id, eventId }, query }) => {
      const page = await readAttempts(sql, tenantOf(caller), id, eventId, oneCursor(query))
      if (!page) throw noEvent()
      const data = page.rows.map((attempt) => ({
        id: attempt.id,
        http_status_code: attempt.statusCode ?? 0,
        response: attempt.response ?? '',
        sent_at: attempt.sentAt,
        error: attempt.error,
        duration_ms: attempt.durationMs,
      }))
      return { object: 'list', has_more: page.hasMore, data }
    },
  })

export const replayEvent = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/webhooks/{id}/events/{eventId}/replay',
    id: 'replayWebhookEvent',
    tag: 'Webhooks',
    summary: 'Tell a webhook once more',
    description: 'The same body under the same id, with all its retries.',
    access: 'write',
    params: eventPath,
    reply: sentEventReply,
    problems: [404],
    serve: async ({ caller, params: { id, eventId } }) => {
      const owner = tenantOf(caller)
      if (!(await replayWebhookEvent(sql, caller.actor, owner, id, eventId))) {
        if (await findWebhookEvent(sql, owner, id, eventId)) throw disabled()
        throw noEvent()
      }
      return { object: 'webhook_event', id: eventId }
    },
  })

export const testWebhook = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/webhooks/{id}/test',
    id: 'testWebhook',
    tag: 'Webhooks',
    summary: 'Send a test event',
    description: 'Not in Resend. An event about things that do not exist, sent and retried like any other.',
    access: 'write',
    params: uuidPath,
    body: bodyOf(testRequest, { required: false }),
    reply: sentEventReply,
    problems: [404],
    serve: async ({ caller, params: { id }, body: { type } }) => {
      const owner = tenantOf(caller)
      const eventId = await addTestEvent(sql, owner, id, { type, payload: sampleEvent(type, new Date()) })
      if (eventId === undefined) {
        if (await findWebhook(sql, owner, id)) throw disabled()
        throw noWebhook()
      }
      return { object: 'webhook_event', id: eventId }
    },
  })

const disabled = () => new Problem('validation_error', 'The webhook is disabled. Enable it first.')

function show({ id, type, createdAt, status }: WebhookEventSummary) {
  return { id, type, created_at: createdAt, status }
}
