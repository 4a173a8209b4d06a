/** projects: streams of mail (transactional, a campaign, a customer), each with its pool and retry policy. */
import { sql } from 'drizzle-orm'
import { check, index, integer, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel, uuidV7 } from './columns.ts'
import { ipPools } from './ip-pools.ts'
import { organizations } from './organizations.ts'

export const projects = postel.table(
  'projects',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    name: text().notNull(),
    poolId: integer()
      .notNull()
      .references(() => ipPools.id),
    /** Waits between tries in seconds; null means postel.retry_delay's default. The last one repeats. */
    retryScheduleSeconds: integer().array(),
    /** How old a message may grow before an unfinished delivery expires. */
    expireAfterSeconds: integer().notNull().default(259200),
    createdAt: createdAt(),
  },
  (t) => [
    index('projects_organization_id').on(t.organizationId),
    check('projects_expire_after_positive', sql`${t.expireAfterSeconds} > 0`),
  ],
)
