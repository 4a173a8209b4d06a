/** events: what happened to each message, recipient, domain and so on, in rows first; partitioned by day on its own UUIDv7. */
import { jsonb, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel, uuidV7 } from './columns.ts'

export const events = postel.table('events', {
  id: uuidV7().primaryKey(),
  createdAt: createdAt(),
  organizationId: uuid().notNull(),
  /** Null for what is not about a message. */
  messageId: uuid(),
  /** deliveries.number; null for what concerns the whole message. */
  number: smallint(),
  type: text().notNull(),
  /** What no other table knows: the click's link, the domain's state. */
  data: jsonb(),
})
