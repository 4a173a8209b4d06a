/** nodes: the machines that have run an outbound process, and when each was last heard of. */
import { text } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel } from './columns.ts'

export const nodes = postel.table('nodes', {
  name: text().primaryKey(),
  createdAt: createdAt(),
  lastSeenAt: instant().notNull(),
})
