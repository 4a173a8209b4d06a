/** ip_sites: what outbound has learned of a site from a source IP: kept over restarts and hand-overs, and shown to people. */
import { sql } from 'drizzle-orm'
import { check, integer, primaryKey, real, text } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const ipSites = postel.table(
  'ip_sites',
  {
    ipId: integer().notNull(),
    site: text().notNull(),
    state: text().notNull(),
    /** Share of the rule's limits in use: 1 is all, halved by each "slow down". */
    factor: real().notNull(),
    /** The limits in force. */
    connectionsMax: integer().notNull(),
    messagesPerMinute: integer(),
    /** Nothing is sent before; null: it may be sent now. */
    until: instant(),
    /** The remote's words, or what happened. */
    reason: text(),
    /** Refusals of this IP since the last delivery. */
    refusals: integer().notNull().default(0),
    updatedAt: instant().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.ipId, t.site], name: 'ip_sites_pkey' }),
    check('ip_sites_state_valid', sql`${t.state} in ('open', 'slowed', 'backing_off', 'suspended')`),
  ],
)
