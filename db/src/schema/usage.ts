/** usage: recipients accepted, by project and day, added in blocks; and the blocks of quota that processes have reserved. */
import { sql } from 'drizzle-orm'
import { bigint, check, date, index, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { instant, postel, uuidV7 } from './columns.ts'

export const usage = postel.table(
  'usage',
  {
    organizationId: uuid().notNull(),
    projectId: uuid().notNull(),
    /** UTC. */
    day: date().notNull(),
    messages: bigint({ mode: 'number' }).notNull().default(0),
    recipients: bigint({ mode: 'number' }).notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.day, t.projectId], name: 'usage_pkey' })],
)

/** What of an organization's month is spent or lent to processes. */
export const quotaMonths = postel.table(
  'quota_months',
  {
    organizationId: uuid().notNull(),
    /** The first day, UTC. */
    month: date().notNull(),
    /** Recipients accepted. */
    used: bigint({ mode: 'number' }).notNull().default(0),
    /** Recipients that processes have reserved beyond that. */
    lent: bigint({ mode: 'number' }).notNull().default(0),
    /** 80 or 100, once that warning has gone out. */
    warnedPercent: bigint({ mode: 'number' }).notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.month], name: 'quota_months_pkey' })],
)

/** A block that one process may use up until it expires; what is left then returns. */
export const quotaBlocks = postel.table(
  'quota_blocks',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid().notNull(),
    month: date().notNull(),
    process: text().notNull(),
    recipients: bigint({ mode: 'number' }).notNull(),
    expiresAt: instant().notNull(),
  },
  (t) => [
    index('quota_blocks_expires_at').on(t.expiresAt),
    check('quota_blocks_recipients_valid', sql`${t.recipients} >= 0`),
  ],
)
