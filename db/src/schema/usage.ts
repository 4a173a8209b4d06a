/** usage: recipients accepted, by project and day; and the months' quotas: what is used, and what processes have reserved. */
import { bigint, date, index, integer, primaryKey, smallint, text, uuid } from 'drizzle-orm/pg-core'
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

/** What of an organization's month is used. Only organizations with a quota have one. */
export const quotaMonths = postel.table(
  'quota_months',
  {
    organizationId: uuid().notNull(),
    /** The first day, UTC. */
    month: date().notNull(),
    /** Recipients accepted, but for those that quota_uses still has. */
    used: bigint({ mode: 'number' }).notNull().default(0),
    /** 80 or 100, once that warning has gone out. */
    warnedPercent: smallint().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.month], name: 'quota_months_pkey' })],
)

/** Recipients that one process may accept until the block ends. What is left of it some time later is nobody's any more. */
export const quotaBlocks = postel.table(
  'quota_blocks',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid().notNull(),
    month: date().notNull(),
    process: text().notNull(),
    /** Reserved, and not yet counted in quota_months.used. */
    recipients: bigint({ mode: 'number' }).notNull(),
    expiresAt: instant().notNull(),
  },
  (t) => [
    index('quota_blocks_organization_id_month').on(t.organizationId, t.month),
    index('quota_blocks_expires_at').on(t.expiresAt),
  ],
)

/** What was accepted against a block: written with the mail itself, so it is true whatever becomes of the process. */
export const quotaUses = postel.table(
  'quota_uses',
  {
    blockId: uuid().notNull(),
    organizationId: uuid().notNull(),
    recipients: integer().notNull(),
    at: instant().notNull(),
  },
  (t) => [index('quota_uses_block_id').on(t.blockId)],
)

/** Which processes send mail of a project whose rate is limited: they share its rate. */
export const rateShares = postel.table(
  'rate_shares',
  {
    /** The project, or the key. */
    ownerId: uuid().notNull(),
    process: text().notNull(),
    usedAt: instant().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.ownerId, t.process], name: 'rate_shares_pkey' }),
    index('rate_shares_used_at').on(t.usedAt),
  ],
)
