/** ip_checks: what DNS says of each source IP: its reverse name, whether that leads back to it, and whether EHLO says the same. */
import { boolean, integer, text } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'
import { ipAddresses } from './ip-addresses.ts'

export const ipChecks = postel.table('ip_checks', {
  ipId: integer()
    .primaryKey()
    .references(() => ipAddresses.id, { onDelete: 'cascade' }),
  /** The EHLO name that was compared; null: not known. */
  ehloName: text(),
  /** The names that it has in reverse (PTR). */
  ptrNames: text().array().notNull().default([]),
  /** Each null: nobody could tell yet. */
  ptrOk: boolean(),
  forwardOk: boolean(),
  ehloOk: boolean(),
  /** What is wrong, and what to do about it. */
  problem: text(),
  /** The last look at which DNS answered. */
  checkedAt: instant(),
  /** Why DNS could not tell at the last look; what was known before stands. */
  fault: text(),
  /** When it is looked at again. */
  dueAt: instant().notNull(),
})
