/** ip_holders: the lease on each source IP. Only the process named here may send from it, until expires_at. */
import { bigint, integer, uuid } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const ipHolders = postel.table('ip_holders', {
  ipId: integer().primaryKey(),
  processId: uuid().notNull(),
  /** Rises at each take-over, so that a former holder can be told from the present one. */
  epoch: bigint({ mode: 'bigint' }).notNull(),
  acquiredAt: instant().notNull(),
  expiresAt: instant().notNull(),
})
