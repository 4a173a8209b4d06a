/** What the endpoints of destination rules answer. */
import { z } from 'zod'
import { listOf, time } from '../shapes.ts'

const rule = {
  id: z.string().meta({ example: '12' }),
  name: z.string(),
  origin: z.enum(['shipped', 'operator']).meta({ description: 'Shipped rules are renewed by upgrades.' }),
  domains: z.array(z.string()),
  mx: z.array(z.string()),
  connections_max: z.int().nullable(),
  messages_per_connection: z.int().nullable(),
  messages_per_minute: z.int().nullable(),
  recipients_per_transaction: z.int().nullable(),
  tls: z.enum(['opportunistic', 'enforced']).nullable(),
  smarthost: z.string().nullable().meta({ description: 'Its password is shown as `***`.' }),
  note: z.string().nullable(),
  created_at: time,
}

export const ruleReply = z
  .object({ object: z.literal('destination_rule'), ...rule })
  .meta({ id: 'DestinationRule' })
export const rulesReply = listOf(z.object(rule)).meta({ id: 'DestinationRules' })
export const deletedRuleReply = z
  .object({ object: z.literal('destination_rule'), id: z.string(), deleted: z.literal(true) })
  .meta({ id: 'DeletedDestinationRule' })

export type RuleEntry = z.infer<typeof rulesReply>['data'][number]
