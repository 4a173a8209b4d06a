/** message_tags: the tags of each message that has some, for lists that are narrowed to one. Partitioned by day with its message. */
import { primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { postel } from './columns.ts'

export const messageTags = postel.table(
  'message_tags',
  {
    projectId: uuid().notNull(),
    /** `name:value` */
    tag: text().notNull(),
    messageId: uuid().notNull(),
  },
  (t) => [primaryKey({ columns: [t.projectId, t.tag, t.messageId], name: 'message_tags_pkey' })],
)
