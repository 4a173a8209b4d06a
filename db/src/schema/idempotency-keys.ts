/** idempotency_keys: one row per key and project, kept a day, so that a repeated request makes one message. */
import { index, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { bytea, createdAt, postel } from './columns.ts'

export const idempotencyKeys = postel.table(
  'idempotency_keys',
  {
    projectId: uuid().notNull(),
    key: text().notNull(),
    /** SHA-256 of what was asked, to tell a repetition from another request under the same key. */
    requestHash: bytea().notNull(),
    /** The messages that the first request made, in its order. */
    messageIds: uuid().array().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.projectId, t.key], name: 'idempotency_keys_pkey' }),
    index('idempotency_keys_created_at').on(t.createdAt),
  ],
)
