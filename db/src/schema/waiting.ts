/** waiting: what cannot be sent yet (deferred, scheduled, held), one row per message and recipient domain. */
import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const waiting = postel.table(
  'waiting',
  {
    id: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    state: text().notNull(),
    notBefore: instant().notNull(),
    reason: text().notNull(),
    /** Null until a usable IP of the pool can be chosen. */
    ipId: integer(),
    priority: smallint().notNull(),
    attempts: smallint().notNull(),
    lostHolders: smallint().notNull(),
    /** Of the MIME message, so that what is loaded at once can be bounded. */
    sizeBytes: integer().notNull(),
    /** messages.expires_at, so that a deferral need not look it up. */
    expiresAt: instant().notNull(),
    /** The queue row that a person took away while it may have been in flight: not released while its sender reports it. */
    formerId: bigint({ mode: 'bigint' }),
    /** What a held row was, so that its release knows. */
    heldFrom: text(),
    messageId: uuid().notNull(),
    organizationId: uuid().notNull(),
    projectId: uuid().notNull(),
    domain: text().notNull(),
    numbers: smallint().array().notNull(),
    recipients: text().array().notNull(),
  },
  (t) => [
    index('waiting_due').on(t.notBefore, t.id).where(sql`${t.state} <> 'held'`),
    index('waiting_message_id').on(t.messageId),
    index('waiting_project_id_message_id').on(t.projectId, t.messageId),
    check('waiting_held_from_valid', sql`${t.heldFrom} in ('queued', 'deferred', 'scheduled')`),
    check('waiting_state_valid', sql`${t.state} in ('deferred', 'scheduled', 'held')`),
  ],
)
