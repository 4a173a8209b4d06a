/** /logs: the requests of API keys. */
import { findRequest, listRequests, type RequestLog } from '@postel/db/queries/request-logs'
import { z } from 'zod'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage, uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'
import { id, listOf, time } from '../shapes.ts'

const summary = {
  id,
  created_at: time,
  endpoint: z.string().meta({ description: 'The path, without its query.', example: '/emails' }),
  method: z.string(),
  response_status: z.int(),
  user_agent: z.string().nullable(),
  duration_ms: z.int().meta({ description: 'Not in Resend.' }),
  api_key_id: id.nullable().meta({ description: 'Not in Resend.' }),
}

const logReply = z
  .object({
    object: z.literal('log'),
    ...summary,
    request_body: z.null().meta({ description: 'Bodies are not kept.' }),
    response_body: z
      .object({ statusCode: z.int(), name: z.string(), message: z.string() })
      .nullable()
      .meta({ description: 'Of a refusal; other bodies are not kept.' }),
  })
  .meta({ id: 'Log' })
const logsReply = listOf(z.object(summary)).meta({ id: 'Logs' })

export function logEndpoints({ sql }: ApiContext): Endpoint[] {
  return [
    endpoint({
      method: 'get',
      path: '/logs',
      id: 'listLogs',
      tag: 'Logs',
      summary: 'List requests of API keys, newest first',
      description: 'Seen here about a second after their replies, for 30 days.',
      access: 'read',
      query: uuidPage,
      reply: logsReply,
      serve: async ({ caller, query }) => {
        const page = await listRequests(sql, tenantOf(caller), oneCursor(query))
        return { object: 'list', has_more: page.hasMore, data: page.rows.map(show) }
      },
    }),
    endpoint({
      method: 'get',
      path: '/logs/{id}',
      id: 'getLog',
      tag: 'Logs',
      summary: 'Get a request',
      access: 'read',
      params: uuidPath,
      reply: logReply,
      problems: [404],
      serve: async ({ caller, params }) => {
        const log = await findRequest(sql, tenantOf(caller), params.id)
        if (!log) throw new Problem('not_found', 'Log not found.')
        return { object: 'log', ...show(log), request_body: null, response_body: refusal(log) }
      },
    }),
  ]
}

function show(log: RequestLog) {
  const { id, createdAt, path, method, status, userAgent, durationMs, apiKeyId } = log
  return {
    id,
    created_at: createdAt,
    endpoint: path,
    method,
    response_status: status,
    user_agent: userAgent,
    duration_ms: durationMs,
    api_key_id: apiKeyId,
  }
}

function refusal({ status, error }: RequestLog) {
  const [, name, message] = /^(\w+): (.*)$/s.exec(error ?? '') ?? []
  return name === undefined ? null : { statusCode: status, name, message: message! }
}
