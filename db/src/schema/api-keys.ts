/** api_keys: made by us, shown once, kept as SHA-256. They open REST and, as a password, SMTP. */
import { sql } from 'drizzle-orm'
import { check, index, text, unique, uuid } from 'drizzle-orm/pg-core'
import { bytea, createdAt, instant, postel, uuidV7 } from './columns.ts'
import { organizations } from './organizations.ts'
import { projects } from './projects.ts'

export const apiKeys = postel.table(
  'api_keys',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    projectId: uuid()
      .notNull()
      .references(() => projects.id),
    name: text().notNull(),
    /** The first characters, for people to tell keys apart. */
    prefix: text().notNull(),
    hash: bytea().notNull(),
    permission: text().notNull().default('full_access'),
    createdAt: createdAt(),
    revokedAt: instant(),
  },
  (t) => [
    unique('api_keys_hash_unique').on(t.hash),
    index('api_keys_project_id').on(t.projectId),
    check('api_keys_permission_valid', sql`${t.permission} in ('full_access', 'sending_access')`),
  ],
)
