/** suppressions: addresses that an organization, or one project of it, no longer writes to. New recipients among them start as suppressed. */
import { sql } from 'drizzle-orm'
import { check, index, text, unique, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel, uuidV7 } from './columns.ts'
import { organizations } from './organizations.ts'
import { projects } from './projects.ts'

export const suppressions = postel.table(
  'suppressions',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    /** Null: for every project of the organization. */
    projectId: uuid().references(() => projects.id),
    /** Lower-case, the domain in A-labels. */
    address: text().notNull(),
    /** What brought it here. */
    origin: text().notNull().default('manual'),
    /** For people: the reply that bounced it, or what they wrote. */
    reason: text(),
    /** The message that brought it here. */
    messageId: uuid(),
    createdAt: createdAt(),
    /** From then on mail is tried again; null: never. Who takes an address off the list writes the moment here. */
    expiresAt: instant(),
  },
  (t) => [
    unique('suppressions_address_once').on(t.organizationId, t.address, t.projectId).nullsNotDistinct(),
    index('suppressions_organization_id_id').on(t.organizationId, t.id),
    index('suppressions_project_id_id').on(t.organizationId, t.projectId, t.id),
    index('suppressions_expires_at').on(t.expiresAt).where(sql`${t.expiresAt} is not null`),
    check(
      'suppressions_origin_valid',
      sql`${t.origin} in ('bounce', 'complaint', 'unsubscribe', 'manual', 'import')`,
    ),
  ],
)
