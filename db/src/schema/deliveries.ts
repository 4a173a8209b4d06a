/** deliveries: the record of each recipient. `sending` is derived from outbound_processes, never written. */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel } from './columns.ts'

export const deliveries = postel.table(
  'deliveries',
  {
    messageId: uuid().notNull(),
    /** 1 for the message's first recipient. */
    number: smallint().notNull(),
    state: text().notNull(),
    attempts: smallint().notNull().default(0),
    createdAt: createdAt(),
    updatedAt: instant().notNull(),
    /** The source IP chosen, and why that one. */
    ipId: integer(),
    ipReason: text(),
    recipient: text().notNull(),
    domain: text().notNull(),
    /** The last reply, with its code; null before the first try. */
    lastReply: text(),
  },
  (t) => [
    primaryKey({ columns: [t.messageId, t.number], name: 'deliveries_pkey' }),
    // Of what never changes, so that changes of state stay HOT
    index('deliveries_recipient').on(
      sql`hashtextextended(lower(${t.recipient} collate "C"), 0)`,
      t.messageId,
    ),
    check(
      'deliveries_state_valid',
      sql`${t.state} in ('queued', 'scheduled', 'held', 'deferred', 'delivered', 'bounced', 'expired', 'cancelled', 'suppressed')`,
    ),
  ],
)
