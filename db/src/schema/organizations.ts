/** organizations: the tenants. Every tenant's row elsewhere names one. */
import { text } from 'drizzle-orm/pg-core'
import { createdAt, postel, uuidV7 } from './columns.ts'

export const organizations = postel.table('organizations', {
  id: uuidV7().primaryKey(),
  name: text().notNull(),
  createdAt: createdAt(),
})
