/** ip_pools: groups of source IPs. A message never leaves from an IP outside its project's pool. */
import { sql } from 'drizzle-orm'
import { boolean, integer, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { createdAt, postel } from './columns.ts'

export const ipPools = postel.table(
  'ip_pools',
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    name: text().notNull().unique('ip_pools_name_unique'),
    isDefault: boolean().notNull().default(false),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('ip_pools_one_default').on(t.isDefault).where(sql`${t.isDefault}`)],
)
