/** nodes: the machines that have run an outbound process, what a person wants of each, and when each was last heard of. */
import { sql } from 'drizzle-orm'
import { check, inet, text } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel } from './columns.ts'

export const nodes = postel.table(
  'nodes',
  {
    name: text().primaryKey(),
    createdAt: createdAt(),
    /** Its outbound process. */
    lastSeenAt: instant().notNull(),
    /** Since when it has been heard of without a break of 30 s; null: since before this was written down. */
    aliveSince: instant(),
    /** Draining: a person wants it free of source IPs. */
    state: text().notNull().default('ready'),
    stateReason: text(),
    /** The addresses of its interfaces, as its outbound process found them. */
    addresses: inet().array().notNull().default(sql`'{}'`),
    /** The server that the provider says it runs on. */
    serverId: text(),
    /** Its interface agent; null: it has none. */
    agentSeenAt: instant(),
    /** The addresses of its interfaces, as its agent found them. */
    agentAddresses: inet().array(),
  },
  (t) => [check('nodes_state_valid', sql`${t.state} in ('ready', 'draining')`)],
)
