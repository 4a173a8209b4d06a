/** events: what happened to each message and recipient, in rows first; partitioned by day on its own UUIDv7. */
import { smallint, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel, uuidV7 } from './columns.ts'

export const events = postel.table('events', {
  id: uuidV7().primaryKey(),
  createdAt: createdAt(),
  organizationId: uuid().notNull(),
  messageId: uuid().notNull(),
  /** deliveries.number; null for what concerns the whole message. */
  number: smallint(),
  type: text().notNull(),
})
