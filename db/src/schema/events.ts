/** events: what happened to each message, recipient, domain and so on, in rows first; partitioned by day on its own UUIDv7. */
import { sql } from 'drizzle-orm'
import { index, jsonb, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel, uuidV7 } from './columns.ts'

export const events = postel.table(
  'events',
  {
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
  },
  (t) => [
    // Without what happens to every message, which messages and attempts tell as well
    index('events_message_id')
      .on(t.messageId)
      .where(sql`${t.type} not in ('accepted', 'queued', 'deferred', 'delivered')`),
    // Also without what an operation may do to a million of them at once, which no list is narrowed to
    index('events_organization_id_type_message_id')
      .on(t.organizationId, t.type, t.messageId)
      .where(sql`${t.type} not in ('accepted', 'queued', 'deferred', 'delivered', 'held', 'released')`),
  ],
)
