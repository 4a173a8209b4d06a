/** ip_addresses: the source IPs, their pool, EHLO name, state and share of new mail. */
import { sql } from 'drizzle-orm'
import { boolean, check, index, inet, integer, text } from 'drizzle-orm/pg-core'
import { createdAt, postel } from './columns.ts'
import { ipPools } from './ip-pools.ts'

export const ipAddresses = postel.table(
  'ip_addresses',
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    poolId: integer()
      .notNull()
      .references(() => ipPools.id),
    address: inet().notNull().unique('ip_addresses_address_unique'),
    /** The name said in EHLO; null means the process's POSTEL_HOSTNAME. */
    ehloName: text(),
    state: text().notNull().default('active'),
    stateReason: text(),
    /** Share of the pool's new mail, relative to the other usable IPs. 0 gets none. */
    weight: integer().notNull().default(100),
    /** The node that should hold it; null means any node that has it on an interface. */
    nodeName: text(),
    /** A person chose the node: the IP manager takes it nowhere else. False: the manager did. */
    pinned: boolean().notNull().default(true),
    /** The node that it is being moved to. Meanwhile its holder lets go, and nobody may take it. */
    movingTo: text(),
    /** The provider's id of it, and what the IP manager found last about where it is. */
    providerId: text(),
    placementNote: text(),
    createdAt: createdAt(),
  },
  (t) => [
    index('ip_addresses_pool_id').on(t.poolId),
    check(
      'ip_addresses_state_valid',
      sql`${t.state} in ('active', 'warming', 'paused', 'quarantined', 'draining', 'retired')`,
    ),
    check('ip_addresses_weight_valid', sql`${t.weight} between 0 and 10000`),
  ],
)
