/** smtp_credentials: a password for SMTP AUTH, or a network that needs none. */
import { sql } from 'drizzle-orm'
import { boolean, check, cidr, index, text, unique, uuid } from 'drizzle-orm/pg-core'
import { bytea, createdAt, instant, postel, uuidV7 } from './columns.ts'
import { organizations } from './organizations.ts'
import { projects } from './projects.ts'

export const smtpCredentials = postel.table(
  'smtp_credentials',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    projectId: uuid()
      .notNull()
      .references(() => projects.id),
    name: text().notNull(),
    prefix: text(),
    /** SHA-256 of the password; null for a network. */
    hash: bytea(),
    /** Clients from here need no AUTH; null for a password. */
    network: cidr(),
    /** Its mail goes to the sandbox mailbox, whatever the delivery mode. */
    test: boolean().notNull().default(false),
    createdAt: createdAt(),
    expiresAt: instant(),
    /** To the minute. */
    lastUsedAt: instant(),
    revokedAt: instant(),
  },
  (t) => [
    unique('smtp_credentials_hash_unique').on(t.hash),
    index('smtp_credentials_project_id').on(t.projectId),
    check('smtp_credentials_one_kind', sql`(${t.hash} is null) <> (${t.network} is null)`),
  ],
)
