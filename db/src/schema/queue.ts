/**
 * queue: what can be sent now or is being sent, one row per message and recipient domain.
 * It knows INSERT and DELETE, never UPDATE; whatever becomes sendable again gets a new id.
 */
import { bigint, index, integer, primaryKey, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const queue = postel.table(
  'queue',
  {
    id: bigint({ mode: 'bigint' }).notNull().generatedAlwaysAsIdentity(),
    ipId: integer().notNull(),
    priority: smallint().notNull(),
    /** Tries that this row's recipients have behind them. */
    attempts: smallint().notNull(),
    /** Holders that died while they had it in flight. */
    lostHolders: smallint().notNull(),
    /** Of the MIME message, so that what is loaded at once can be bounded. */
    sizeBytes: integer().notNull(),
    /** messages.expires_at, so that a deferral need not look it up. */
    expiresAt: instant().notNull(),
    messageId: uuid().notNull(),
    organizationId: uuid().notNull(),
    projectId: uuid().notNull(),
    queuedAt: instant().notNull(),
    domain: text().notNull(),
    /** deliveries.number of each recipient, and its address at the same position. */
    numbers: smallint().array().notNull(),
    recipients: text().array().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.ipId, t.id], name: 'queue_pkey' }),
    index('queue_lane').on(t.ipId, t.projectId, t.domain, t.id),
    index('queue_message_id').on(t.messageId),
  ],
)
