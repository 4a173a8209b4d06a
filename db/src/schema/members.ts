/** members: which people belong to which organization, and what they may do there. */
import { sql } from 'drizzle-orm'
import { check, index, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel } from './columns.ts'
import { organizations } from './organizations.ts'
import { users } from './people.ts'

export const members = postel.table(
  'members',
  {
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    userId: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    role: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.userId], name: 'members_pkey' }),
    index('members_user_id').on(t.userId),
    check('members_role_valid', sql`${t.role} in ('read_only', 'maintainer', 'admin')`),
  ],
)
