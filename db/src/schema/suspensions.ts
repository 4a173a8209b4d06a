/** suspensions: what may not be sent for now: mail to a recipient domain, or of a project. */
import { sql } from 'drizzle-orm'
import { bigint, check, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel } from './columns.ts'

export const suspensions = postel.table(
  'suspensions',
  {
    id: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    /** A recipient domain, exact, or `*.example.com` for all below; or a project. */
    domain: text(),
    projectId: uuid(),
    reason: text().notNull(),
    /** Null: until a person ends it. */
    until: instant(),
    /** Who made it: a database role. */
    requestedBy: text().notNull().default(sql`session_user`),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('suspensions_domain').on(t.domain).where(sql`${t.domain} is not null`),
    uniqueIndex('suspensions_project_id').on(t.projectId).where(sql`${t.projectId} is not null`),
    check('suspensions_one_kind', sql`(${t.domain} is null) <> (${t.projectId} is null)`),
  ],
)
