/** What the endpoints of source IPs answer. */
import { ipStates } from '@postel/db/queries/ips'
import { z } from 'zod'
import { listOf, time } from '../shapes.ts'

const known = (description: string) =>
  z
    .boolean()
    .nullable()
    .meta({ description: `${description} null: nobody could tell yet.` })

const dns = z
  .object({
    ptr_names: z.array(z.string()).meta({ description: 'Its reverse names (PTR records).' }),
    ptr_ok: known('It has one.'),
    forward_ok: known('One of them leads back to the address.'),
    ehlo_ok: known('What it says in EHLO is one of them.'),
    problem: z
      .string()
      .nullable()
      .meta({ description: 'What is wrong and what to do about it, or why DNS could not tell.' }),
    checked_at: time.nullable().meta({ description: 'The last look at which DNS answered.' }),
  })
  .meta({
    description: 'What receivers find in DNS. The IP manager looks each hour, and soon after a change.',
  })

const ip = {
  id: z.string().meta({ example: '1' }),
  address: z.string().meta({ example: '192.0.2.1' }),
  pool_id: z.string(),
  pool: z.string(),
  ehlo_name: z.string().nullable().meta({ description: 'null: the host name of the process that holds it.' }),
  state: z.enum(ipStates),
  reason: z.string().nullable().meta({ description: 'Of its state.' }),
  weight: z.int().meta({ description: 'Its share of the new mail of its pool, relative to the others.' }),
  node_name: z
    .string()
    .nullable()
    .meta({ description: 'The node that should hold it; null: any that has it.' }),
  held_by: z
    .string()
    .nullable()
    .meta({ description: 'The node that holds it now, and so can send from it.' }),
  held_since: time.nullable(),
  queued: z.int().meta({ description: 'Messages, one for each recipient domain.' }),
  in_flight: z.int(),
  oldest_queued_at: time.nullable(),
  dns,
  created_at: time,
}

export const ipReply = z.object({ object: z.literal('ip'), ...ip }).meta({ id: 'Ip' })
export const ipsReply = listOf(z.object(ip)).meta({ id: 'Ips' })
export const movedReply = z
  .object({ object: z.literal('ip'), id: z.string(), moved: z.int() })
  .meta({ id: 'MovedQueue' })

export type IpEntry = z.infer<typeof ipsReply>['data'][number]
