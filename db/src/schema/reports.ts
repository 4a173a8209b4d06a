/** reports: the delivery status notifications that were made, so that each is made once. */
import { sql } from 'drizzle-orm'
import { check, index, primaryKey, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel } from './columns.ts'

export const reports = postel.table(
  'reports',
  {
    messageId: uuid().notNull(),
    number: smallint().notNull(),
    kind: text().notNull(),
    /** The message that carries it. */
    reportId: uuid().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.messageId, t.number, t.kind], name: 'reports_pkey' }),
    index('reports_created_at').on(t.createdAt),
    check('reports_kind_valid', sql`${t.kind} in ('final', 'delayed')`),
  ],
)
