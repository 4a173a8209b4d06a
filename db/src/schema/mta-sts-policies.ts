/** mta_sts_policies: the MTA-STS policies in force (RFC 8461): one that was seen binds until it expires, restarts included. */
import { text } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const mtaStsPolicies = postel.table('mta_sts_policies', {
  domain: text().primaryKey(),
  /** The id of the TXT record that it was fetched for. */
  policyId: text().notNull(),
  /** The policy file. */
  policy: text().notNull(),
  fetchedAt: instant().notNull(),
  expiresAt: instant().notNull(),
})
