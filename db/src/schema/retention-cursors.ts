/** retention_cursors: how far the bodies of each project's messages have been deleted by their age. */
import { uuid } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const retentionCursors = postel.table('retention_cursors', {
  projectId: uuid().primaryKey(),
  /** The last message looked at. */
  lastMessageId: uuid().notNull(),
  updatedAt: instant().notNull(),
})
