/** What an operator may say of a destination: the fields of a rule, and how they are shown again. */
import type { RuleFields, RuleRow } from '@postel/db/queries/destination-rules'
import { sealedPassword, sealSmarthost } from '@postel/runtime/sealed-smarthost'
import type { SecretBox } from '@postel/runtime/secret-box'
import { z } from 'zod'
import { domainPattern, hostname, line } from '../operator-fields.ts'
import type { RuleEntry } from './replies.ts'

const entriesMax = 1000
const hidden = '***'

const whole = (max: number) =>
  z
    .int({ error: 'must be a whole number.' })
    .min(1, { error: `must be from 1 to ${max}.` })
    .max(max, { error: `must be from 1 to ${max}.` })
    .nullable()
    .optional()

const list = <Entry extends z.ZodType>(entry: Entry) =>
  z
    .array(entry, { error: 'must be an array.' })
    .max(entriesMax, { error: `must have at most ${entriesMax} entries.` })
    .optional()

const smarthost = line(500)
  .refine(isSmarthost, { error: 'must be smtp://[user:password@]host[:port], or smtps://….', abort: true })
  .refine((value) => new URL(value).password !== hidden, {
    error: 'has the password that replies show instead of the real one: give that.',
  })
  .refine((value) => !sealedPassword(value), {
    error: 'has a password as the database keeps it, encrypted: give the real one.',
  })

const fields = {
  name: line(100).regex(/^[a-z0-9][a-z0-9._-]*$/, {
    error: 'must be lower-case letters, digits, dots, dashes and underscores.',
  }),
  domains: list(domainPattern).meta({
    description: 'Recipient domains; `*.example.com`: all below.',
    example: ['example.com'],
  }),
  mx: list(hostname).meta({ description: 'Mail exchangers, each for itself and all below.' }),
  connections_max: whole(1000).meta({
    description:
      'Per source IP. Null, like the others: as in the shipped rule of this name, or else in `default`.',
  }),
  messages_per_connection: whole(100_000),
  messages_per_minute: whole(10_000_000).meta({ description: 'Per source IP.' }),
  recipients_per_transaction: whole(1000),
  tls: z
    .enum(['opportunistic', 'enforced'], { error: 'must be opportunistic or enforced.' })
    .nullable()
    .optional()
    .meta({ description: 'enforced: only over TLS with a good certificate.' }),
  smarthost: smarthost.nullable().optional().meta({
    description: 'Its mail goes there instead of to the MX.',
    example: 'smtps://user:password@relay.example.com',
  }),
  note: line(1000).nullable().optional(),
}

export const ruleRequest = z
  .object(fields, { error: 'must be a JSON object.' })
  .meta({ id: 'CreateDestinationRuleRequest' })
export const ruleChange = z
  .object({ ...fields, name: fields.name.optional() }, { error: 'must be a JSON object.' })
  .meta({ id: 'UpdateDestinationRuleRequest' })

/** The rule with what was asked for, as it is stored; what was not stays. */
export function applied(asked: z.infer<typeof ruleChange>, rule: RuleFields, box: SecretBox): RuleFields {
  const or = <Value>(value: Value | undefined, former: Value): Value => (value === undefined ? former : value)
  return {
    name: or(asked.name, rule.name),
    domains: or(asked.domains, rule.domains),
    mx: or(asked.mx, rule.mx),
    connectionsMax: or(asked.connections_max, rule.connectionsMax),
    messagesPerConnection: or(asked.messages_per_connection, rule.messagesPerConnection),
    messagesPerMinute: or(asked.messages_per_minute, rule.messagesPerMinute),
    recipientsPerTransaction: or(asked.recipients_per_transaction, rule.recipientsPerTransaction),
    tls: or(asked.tls, rule.tls),
    smarthost: asked.smarthost ? sealSmarthost(asked.smarthost, box) : asked.smarthost,
    note: or(asked.note, rule.note),
  }
}

export const emptyRule: RuleFields = {
  name: '',
  domains: [],
  mx: [],
  connectionsMax: null,
  messagesPerConnection: null,
  messagesPerMinute: null,
  recipientsPerTransaction: null,
  tls: null,
  smarthost: null,
  note: null,
}

export function showRule(rule: RuleRow): RuleEntry {
  return {
    id: rule.id,
    name: rule.name,
    origin: rule.origin,
    domains: rule.domains,
    mx: rule.mx,
    connections_max: rule.connectionsMax,
    messages_per_connection: rule.messagesPerConnection,
    messages_per_minute: rule.messagesPerMinute,
    recipients_per_transaction: rule.recipientsPerTransaction,
    tls: rule.tls,
    smarthost: rule.smarthost === null ? null : withoutPassword(rule.smarthost),
    note: rule.note,
    created_at: rule.createdAt,
  }
}

/** For replies and the audit log. */
export function withoutPassword(smarthost: string): string {
  return smarthost.replace(/^(\w+:\/\/[^:@/]*):[^/]*@/, `$1:${hidden}@`)
}

function isSmarthost(value: string): boolean {
  if (!/^smtps?:\/\/[^\s]+$/.test(value) || !URL.canParse(value)) return false
  const { hostname: host, pathname, search, hash, username, password } = new URL(value)
  const decodes = [username, password].every((each) => !/%(?![0-9a-f]{2})/i.test(each))
  return host !== '' && (pathname === '' || pathname === '/') && search === '' && hash === '' && decodes
}
