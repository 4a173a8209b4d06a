/** suppressions: addresses that an organization no longer writes to. New recipients among them start as suppressed. */
import { primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel } from './columns.ts'
import { organizations } from './organizations.ts'

export const suppressions = postel.table(
  'suppressions',
  {
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    /** Lower-case. */
    address: text().notNull(),
    reason: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.address], name: 'suppressions_pkey' })],
)
