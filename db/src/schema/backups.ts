/** backups: one row each time a backup was tried, and what came of it. */
import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, text } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel } from './columns.ts'

export const backups = postel.table(
  'backups',
  {
    id: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    startedAt: createdAt(),
    /** Null: under way, or killed. */
    finishedAt: instant(),
    /** It is stored, whole, and was checked there. Null until it is finished. */
    ok: boolean(),
    /** Its name in the bucket. */
    object: text().notNull(),
    /** As it is stored, compressed and encrypted. */
    bytes: bigint({ mode: 'number' }),
    /** Whether the bodies of messages are in it. */
    bodies: boolean().notNull(),
    /** Why it failed; of a good one: what went wrong afterwards. */
    error: text(),
    requestedBy: text().notNull().default(sql`session_user`),
  },
  (t) => [
    index('backups_good').on(t.finishedAt).where(sql`${t.ok}`),
    check('backups_finished', sql`(${t.finishedAt} is null) = (${t.ok} is null)`),
  ],
)
