/** request_logs: the requests of API keys, written in batches after the reply; kept some days. */
import { index, integer, smallint, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, postel, uuidV7 } from './columns.ts'

export const requestLogs = postel.table(
  'request_logs',
  {
    id: uuidV7().primaryKey(),
    createdAt: createdAt(),
    organizationId: uuid().notNull(),
    projectId: uuid(),
    apiKeyId: uuid(),
    method: text().notNull(),
    /** The path as it was asked for, without its query. */
    path: text().notNull(),
    status: smallint().notNull(),
    durationMs: integer().notNull(),
    userAgent: text(),
    /** The refusal's name, e.g. `validation_error`, and its message. */
    error: text(),
  },
  (t) => [index('request_logs_organization_id_id').on(t.organizationId, t.id)],
)
