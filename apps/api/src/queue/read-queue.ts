/** GET /queue, by state, by domain, by IP and message by message. */
import {
  queueDomains,
  queueIps,
  queueMessages,
  queueStates as readQueueStates,
} from '@postel/db/queries/queue'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { hostname, ipAddress } from '../operator-fields.ts'
import { oneCursor, uuidPage } from '../paging.ts'
import {
  queueDomainsReply,
  queueIpsReply,
  queueMessagesReply,
  queueStates,
  queueStatesReply,
} from './replies.ts'
import { scopeOf } from './scope.ts'

const scopeNote = 'Of the project or organization of the key; an operator that names none sees all mail.'

export const listQueueStates = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/queue',
    id: 'listQueueStates',
    tag: 'Queue',
    summary: 'How much mail is queued, deferred, scheduled and held',
    description: scopeNote,
    access: 'read',
    reply: queueStatesReply,
    serve: async ({ caller }) => {
      const rows = await readQueueStates(sql, scopeOf(caller))
      const data = rows.map(({ state, messages, recipients, oldestAt, nextDueAt }) => ({
        state,
        messages,
        recipients,
        oldest_at: oldestAt,
        next_due_at: nextDueAt,
      }))
      return { object: 'list', has_more: false, data }
    },
  })

export const listQueueDomains = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/queue/domains',
    id: 'listQueueDomains',
    tag: 'Queue',
    summary: 'The recipient domains that have mail waiting, the most first',
    description: scopeNote,
    access: 'read',
    query: z.object({ limit: uuidPage.shape.limit }),
    reply: queueDomainsReply,
    serve: async ({ caller, query: { limit } }) => {
      const { rows, hasMore } = await queueDomains(sql, scopeOf(caller), limit)
      const data = rows.map(({ inFlight, oldestAt, nextDueAt, blockedBy, ...row }) => ({
        ...row,
        in_flight: inFlight,
        oldest_at: oldestAt,
        next_due_at: nextDueAt,
        blocked_by: blockedBy,
      }))
      return { object: 'list', has_more: hasMore, data }
    },
  })

export const listQueueIps = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/queue/ips',
    id: 'listQueueIps',
    tag: 'Queue',
    summary: 'The source IPs that mail is queued on, the most first',
    description: scopeNote,
    access: 'read',
    reply: queueIpsReply,
    serve: async ({ caller }) => {
      const rows = await queueIps(sql, scopeOf(caller))
      const data = rows.map(({ inFlight, oldestAt, ...row }) => ({
        ...row,
        in_flight: inFlight,
        oldest_at: oldestAt,
      }))
      return { object: 'list', has_more: false, data }
    },
  })

const messagesQuery = uuidPage.extend({
  state: z.enum(queueStates, { error: `must be one of ${queueStates.join(', ')}.` }).optional(),
  domain: hostname.optional().meta({ description: 'Of the recipient.' }),
  ip: ipAddress.optional().meta({ description: 'The source IP.' }),
})

export const listQueueMessages = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/queue/messages',
    id: 'listQueueMessages',
    tag: 'Queue',
    summary: 'The messages that are not final yet, newest first',
    description: `${scopeNote} What of a message is final already is not shown.`,
    access: 'read',
    query: messagesQuery,
    reply: queueMessagesReply,
    serve: async ({ caller, query }) => {
      const { state, domain, ip, ...page } = oneCursor(query)
      const found = await queueMessages(sql, scopeOf(caller), { state, domain, ip }, page)
      const data = found.rows.map(({ createdAt, projectId, ...message }) => ({
        ...message,
        created_at: createdAt,
        project_id: projectId,
      }))
      return { object: 'list', has_more: found.hasMore, data }
    },
  })
