/** templates: mail with variables, kept by name. What is sent is the published text, not the draft. */
import { sql } from 'drizzle-orm'
import { check, index, jsonb, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel, uuidV7 } from './columns.ts'
import { organizations } from './organizations.ts'
import { projects } from './projects.ts'

export const templates = postel.table(
  'templates',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    projectId: uuid()
      .notNull()
      .references(() => projects.id),
    name: text().notNull(),
    alias: text(),
    status: text().notNull().default('draft'),
    /** from, subject, reply_to, html, text and variables of the draft. */
    draft: jsonb().notNull(),
    /** The same of what is sent; null before the first publication. */
    published: jsonb(),
    createdAt: createdAt(),
    updatedAt: instant().notNull().default(sql`now()`),
    publishedAt: instant(),
  },
  (t) => [
    index('templates_project_id').on(t.projectId, t.id),
    uniqueIndex('templates_alias_once').on(t.projectId, t.alias),
    check('templates_status_valid', sql`${t.status} in ('draft', 'published')`),
  ],
)
