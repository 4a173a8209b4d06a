/** api_keys: made by us, shown once, kept as SHA-256. They open REST and, as a password, SMTP. */
import { sql } from 'drizzle-orm'
import { boolean, check, cidr, index, text, unique, uuid } from 'drizzle-orm/pg-core'
import { bytea, createdAt, instant, postel, uuidV7 } from './columns.ts'
import { domains } from './domains.ts'
import { organizations } from './organizations.ts'
import { projects } from './projects.ts'

export const apiKeys = postel.table(
  'api_keys',
  {
    id: uuidV7().primaryKey(),
    /** Null: a key of the platform's operators. */
    organizationId: uuid().references(() => organizations.id),
    /** Null: a key of the whole organization (or platform), which names a project where one is needed. */
    projectId: uuid().references(() => projects.id),
    name: text().notNull(),
    /** The first characters, for people to tell keys apart. */
    prefix: text().notNull(),
    hash: bytea().notNull(),
    permission: text().notNull().default('full_access'),
    /** It sends from this domain only, and goes with it. */
    domainId: uuid().references(() => domains.id, { onDelete: 'cascade' }),
    /** It works from these networks only; null: from anywhere. */
    networks: cidr().array(),
    /** Its mail goes to the sandbox mailbox, whatever the delivery mode. */
    test: boolean().notNull().default(false),
    createdAt: createdAt(),
    expiresAt: instant(),
    /** To the minute. */
    lastUsedAt: instant(),
    revokedAt: instant(),
  },
  (t) => [
    unique('api_keys_hash_unique').on(t.hash),
    index('api_keys_project_id').on(t.projectId),
    index('api_keys_organization_id').on(t.organizationId),
    check('api_keys_permission_valid', sql`${t.permission} in ('full_access', 'sending_access')`),
    check('api_keys_scope_valid', sql`${t.organizationId} is not null or ${t.projectId} is null`),
  ],
)
