/** invitations: people asked to join an organization. */
import { sql } from 'drizzle-orm'
import { check, index, text, unique, uuid } from 'drizzle-orm/pg-core'
import { bytea, createdAt, instant, postel, uuidV7 } from './columns.ts'
import { organizations } from './organizations.ts'

export const invitations = postel.table(
  'invitations',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id, { onDelete: 'cascade' }),
    /** Lower-case. */
    email: text().notNull(),
    role: text().notNull(),
    /** SHA-256 of the token in the link. */
    tokenHash: bytea().notNull(),
    /** Who invited, for people. */
    invitedBy: text().notNull(),
    createdAt: createdAt(),
    expiresAt: instant().notNull(),
    acceptedAt: instant(),
  },
  (t) => [
    unique('invitations_token_hash_unique').on(t.tokenHash),
    index('invitations_organization_id').on(t.organizationId),
    index('invitations_email').on(t.email),
    check('invitations_role_valid', sql`${t.role} in ('read_only', 'maintainer', 'admin')`),
  ],
)
