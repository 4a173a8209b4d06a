/** event_cursors: how far each reader of the events table has come. */
import { text, uuid } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const eventCursors = postel.table('event_cursors', {
  name: text().primaryKey(),
  /** The last event read. */
  lastEventId: uuid().notNull(),
  updatedAt: instant().notNull(),
})
