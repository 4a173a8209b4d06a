/** GET /webhooks and /webhooks/{id}. */
import { findWebhook, listWebhooks as readWebhooks, type WebhookSummary } from '@postel/db/queries/webhooks'
import { mayUse, tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage, uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'
import { webhookReply, webhooksReply } from './replies.ts'
import { openSigningSecret } from './signing-secret.ts'

export const noWebhook = () => new Problem('not_found', 'Webhook not found.')

export const listWebhooks = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/webhooks',
    id: 'listWebhooks',
    tag: 'Webhooks',
    summary: 'List webhooks, newest first',
    description: 'A key of a project sees those of its project.',
    access: 'read',
    query: uuidPage,
    reply: webhooksReply,
    serve: async ({ caller, query }) => {
      const page = await readWebhooks(sql, tenantOf(caller), oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(show) }
    },
  })

export const getWebhook = ({ sql, secretBox }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/webhooks/{id}',
    id: 'getWebhook',
    tag: 'Webhooks',
    summary: 'Get a webhook',
    access: 'read',
    params: uuidPath,
    reply: webhookReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const webhook = await findWebhook(sql, tenantOf(caller), id)
      if (!webhook) throw noWebhook()
      return {
        object: 'webhook',
        ...show(webhook),
        // Whoever has it can pass for us
        ...(mayUse(caller.role, 'write') && {
          signing_secret: openSigningSecret(secretBox, webhook.id, webhook.secret),
        }),
      }
    },
  })

function show({ id, createdAt, status, statusReason, endpoint, events }: WebhookSummary) {
  return {
    id,
    created_at: createdAt,
    status,
    status_reason: statusReason as 'gone' | 'failing' | null,
    endpoint,
    events,
  }
}
