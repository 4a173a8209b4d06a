/** What the endpoints of the queue answer. */
import { queueVerbs } from '@postel/db/queries/queue'
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

export const queueStates = ['queued', 'deferred', 'scheduled', 'held'] as const
const state = z.enum(queueStates)

export const queueStatesReply = listOf(
  z.object({
    state,
    messages: z.int(),
    recipients: z.int(),
    oldest_at: time.nullable().meta({ description: 'When the oldest of it was submitted.' }),
    next_due_at: time.nullable(),
  }),
).meta({ id: 'QueueStates' })

export const queueDomainsReply = listOf(
  z.object({
    domain: z.string().meta({ example: 'example.com' }),
    site: z.string().nullable().meta({ description: 'What shares limits with it; null: not looked up yet.' }),
    queued: z.int().meta({ description: 'Messages, like the other numbers.' }),
    deferred: z.int(),
    scheduled: z.int(),
    held: z.int(),
    in_flight: z.int(),
    oldest_at: time,
    next_due_at: time.nullable(),
    blocked_by: z.string().nullable().meta({ description: 'What keeps it from being sent, in words.' }),
  }),
).meta({ id: 'QueueDomains' })

export const queueIpsReply = listOf(
  z.object({
    ip: z.string().meta({ example: '192.0.2.1' }),
    pool: z.string(),
    state: z.string(),
    queued: z.int(),
    in_flight: z.int(),
    oldest_at: time,
  }),
).meta({ id: 'QueueIps' })

export const queueMessagesReply = listOf(
  z.object({
    id,
    project_id: id,
    created_at: time,
    parts: z.array(
      z.object({
        domain: z.string(),
        state,
        recipients: z.array(z.string()),
        attempts: z.int(),
        ip: z.string().nullable(),
        reason: z.string().nullable(),
        next_at: time.nullable(),
        expires_at: time,
      }),
    ),
  }),
).meta({ id: 'QueueMessages' })

const operation = {
  id: z.string().meta({ example: '17' }),
  verb: z.enum([...queueVerbs, 'move']),
  state: z.enum(['waiting', 'running', 'finished']),
  filter: z.object({
    message_id: id.nullable(),
    project_id: id.nullable(),
    domain: z.string().nullable(),
    ip: z.string().nullable(),
    to_ip: z.string().nullable(),
    sender: z.string().nullable(),
    recipient: z.string().nullable(),
    submitted_before: time.nullable(),
  }),
  reason: z.string().nullable(),
  requested_by: z.string(),
  matched: z.int().meta({ description: 'Recipients found when it was asked for.' }),
  done: z.int().meta({ description: 'Recipients changed so far.' }),
  created_at: time,
  finished_at: time.nullable(),
}

export const operationReply = z
  .object({ object: z.literal('queue_operation'), ...operation })
  .meta({ id: 'QueueOperation' })
export const operationsReply = listOf(z.object(operation)).meta({ id: 'QueueOperations' })

export type OperationEntry = z.infer<typeof operationsReply>['data'][number]
