/** schema_versions: the versions of the schema that this database has had. Written by db/src/migrate.ts. */
import { text } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const schemaVersions = postel.table('schema_versions', {
  /** Of the text of all migrations and functions; see db/src/schema-version.ts. */
  digest: text().primaryKey(),
  /** When it came first: which of two versions is the newer one. */
  appliedAt: instant().notNull(),
  /** An older version has put its functions in place of these since: what needs these must not start. */
  replacedAt: instant(),
})
