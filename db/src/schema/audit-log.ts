/** audit_log: every change that a person or key made, administrators' included. Written in the statement of the change. */
import { index, inet, jsonb, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel, uuidV7 } from './columns.ts'

export const auditLog = postel.table(
  'audit_log',
  {
    id: uuidV7().primaryKey(),
    createdAt: createdAt(),
    /** Null for what concerns the platform. */
    organizationId: uuid(),
    /** api_key, person, system or psql. */
    actorKind: text().notNull(),
    actorId: text(),
    actorName: text().notNull(),
    /** Where the request came from. */
    address: inet(),
    /** e.g. `api_key.created`. */
    action: text().notNull(),
    targetKind: text().notNull(),
    targetId: text(),
    targetName: text(),
    /** What was asked; never a secret. */
    details: jsonb(),
  },
  (t) => [index('audit_log_organization_id_id').on(t.organizationId, t.id)],
)
