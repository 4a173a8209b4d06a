/** attempts: what one try for one recipient met, partitioned by day with its message. */
import { boolean, inet, integer, primaryKey, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const attempts = postel.table(
  'attempts',
  {
    messageId: uuid().notNull(),
    number: smallint().notNull(),
    attempt: smallint().notNull(),
    at: instant().notNull(),
    durationMs: integer().notNull(),
    ipId: integer(),
    /** delivered, deferred or bounced. */
    outcome: text().notNull(),
    /** The final dot was sent and no reply came: the recipient may have the message. */
    inDoubt: boolean().notNull(),
    mxHost: text(),
    mxAddress: inet(),
    /** e.g. `TLSv1.3 TLS_AES_256_GCM_SHA384 verified`; null for plain text. */
    tls: text(),
    code: smallint(),
    enhancedCode: text(),
    category: text(),
    reply: text(),
  },
  (t) => [primaryKey({ columns: [t.messageId, t.number, t.attempt], name: 'attempts_pkey' })],
)
