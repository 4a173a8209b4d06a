/** webhooks: where an organization, or one project of it, wants to be told of events. */
import { sql } from 'drizzle-orm'
import { check, index, text, uuid } from 'drizzle-orm/pg-core'
import { bytea, createdAt, instant, postel, uuidV7 } from './columns.ts'
import { organizations } from './organizations.ts'
import { projects } from './projects.ts'

export const webhooks = postel.table(
  'webhooks',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    /** Null: the events of every project. */
    projectId: uuid().references(() => projects.id),
    endpoint: text().notNull(),
    /** e.g. `email.delivered`. */
    events: text().array().notNull(),
    status: text().notNull().default('enabled'),
    /** Why it was disabled, where the system did it: `gone` (it answered 410) or `failing`. */
    statusReason: text(),
    /** It is told of nothing that happened before. */
    enabledAt: createdAt(),
    /** Since when no attempt has succeeded; null while they do. */
    failingSince: instant(),
    /** The signing secret, encrypted under POSTEL_SECRET, bound to the webhook's id. */
    secret: bytea().notNull(),
    /** The one before, which signs as well until previousSecretUntil. */
    previousSecret: bytea(),
    previousSecretUntil: instant(),
    createdAt: createdAt(),
    /** It is shown nowhere and told of nothing; the worker removes it with its deliveries. */
    deletedAt: instant(),
  },
  (t) => [
    index('webhooks_organization_id').on(t.organizationId, t.id),
    check('webhooks_status_valid', sql`${t.status} in ('enabled', 'disabled')`),
  ],
)
