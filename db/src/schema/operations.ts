/** operations: what people asked to be done to many messages at once; the worker does it chunk by chunk. Also the record of it. */
import { sql } from 'drizzle-orm'
import { bigint, check, index, jsonb, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel } from './columns.ts'

export const operations = postel.table(
  'operations',
  {
    id: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    verb: text().notNull(),
    filter: jsonb().notNull(),
    reason: text(),
    /** Whose mail it is about; null: anybody's, as operators ask. */
    organizationId: uuid(),
    /** Null: of all its projects. */
    projectId: uuid(),
    requestedBy: text().notNull().default(sql`session_user`),
    createdAt: createdAt(),
    /** Rows with higher ids came after it was asked for. */
    queueMax: bigint({ mode: 'bigint' }).notNull(),
    waitingMax: bigint({ mode: 'bigint' }).notNull(),
    /** Where the next chunk begins. */
    queueAt: bigint({ mode: 'bigint' }).notNull().default(sql`0`),
    waitingAt: bigint({ mode: 'bigint' }).notNull().default(sql`0`),
    /** Recipients: found when it was asked for, and done. */
    matched: bigint({ mode: 'number' }).notNull(),
    done: bigint({ mode: 'number' }).notNull().default(0),
    finishedAt: instant(),
  },
  (t) => [
    index('operations_organization_id_id').on(t.organizationId, t.id),
    index('operations_unfinished').on(t.id).where(sql`${t.finishedAt} is null`),
    check(
      'operations_verb_valid',
      sql`${t.verb} in ('hold', 'release', 'cancel', 'bounce', 'retry', 'move')`,
    ),
  ],
)
