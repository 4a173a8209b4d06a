/** messages: one row per submission, partitioned by day on its UUIDv7. Written once, never updated. */
import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel, uuidV7 } from './columns.ts'

export const messages = postel.table(
  'messages',
  {
    id: uuidV7().primaryKey(),
    createdAt: createdAt(),
    expiresAt: instant().notNull(),
    organizationId: uuid().notNull(),
    projectId: uuid().notNull(),
    sizeBytes: integer().notNull(),
    recipientCount: smallint().notNull(),
    source: text().notNull(),
    /** Empty for the null sender. */
    envelopeFrom: text().notNull(),
    /** The verified domain whose DKIM keys sign it; null for mail that is not signed. */
    signingDomain: text(),
    messageIdHeader: text().notNull(),
    headerFrom: text().notNull(),
    subject: text().notNull(),
    /** What the submitter said beyond the body: to, cc, bcc, reply_to, tags. Null when it said nothing. */
    details: jsonb(),
  },
  (t) => [
    index('messages_project_id_id').on(t.projectId, t.id),
    check('messages_source_valid', sql`${t.source} in ('smtp', 'rest', 'sql', 'report')`),
  ],
)
