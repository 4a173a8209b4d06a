/** message_bodies: the MIME message, stored once, outside every hot row. */
import { smallint, uuid } from 'drizzle-orm/pg-core'
import { bytea, postel } from './columns.ts'

export const messageBodies = postel.table('message_bodies', {
  messageId: uuid().primaryKey(),
  /** 0: as it is, 1: zstd. */
  encoding: smallint().notNull(),
  body: bytea().notNull(),
})
