/**
 * destination_rules: how mail to a provider is sent. A rule is for recipient domains or for the mail exchangers behind
 * them; all domains of one rule share its limits as one site. Shipped rules are renewed at each migration; an
 * operator's rule of the same name comes before the shipped one, column by column. The rule `default` is for the rest.
 */
import { sql } from 'drizzle-orm'
import { check, integer, text, unique } from 'drizzle-orm/pg-core'
import { createdAt, postel } from './columns.ts'

export const destinationRules = postel.table(
  'destination_rules',
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    name: text().notNull(),
    origin: text().notNull().default('operator'),
    /** Recipient domains, exact, or `*.example.com` for all below. Lower-case A-labels. */
    domains: text().array().notNull().default(sql`'{}'`),
    /** Host names of mail exchangers: `google.com` is for itself and all below. */
    mx: text().array().notNull().default(sql`'{}'`),
    /** Per source IP. Null: as in the shipped rule of this name, or else in `default`. */
    connectionsMax: integer(),
    messagesPerConnection: integer(),
    /** Per source IP; null: no limit of ours. */
    messagesPerMinute: integer(),
    recipientsPerTransaction: integer(),
    /** `enforced`: only over TLS with a good certificate. */
    tls: text(),
    /**
     * smtp://[user:password@]host[:port] or smtps://…: its mail goes there instead of to the MX. The password is encrypted
     * under POSTEL_SECRET, bound to user and host; as it was written in psql until the next sweep.
     */
    smarthost: text(),
    note: text(),
    createdAt: createdAt(),
  },
  (t) => [
    unique('destination_rules_name_per_origin').on(t.name, t.origin),
    check('destination_rules_origin_valid', sql`${t.origin} in ('shipped', 'operator')`),
    check('destination_rules_connections_valid', sql`${t.connectionsMax} between 1 and 1000`),
    check('destination_rules_per_connection_valid', sql`${t.messagesPerConnection} between 1 and 100000`),
    check('destination_rules_per_minute_valid', sql`${t.messagesPerMinute} between 1 and 10000000`),
    check('destination_rules_recipients_valid', sql`${t.recipientsPerTransaction} between 1 and 1000`),
    check('destination_rules_tls_valid', sql`${t.tls} in ('opportunistic', 'enforced')`),
    check('destination_rules_smarthost_valid', sql`${t.smarthost} ~ '^smtps?://[^[:space:]]+$'`),
  ],
)
