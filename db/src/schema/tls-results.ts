/** tls_results: sessions by day and TLS result, from which TLS reports (RFC 8460) can be made. */
import { bigint, date, integer, primaryKey, text } from 'drizzle-orm/pg-core'
import { postel } from './columns.ts'

export const tlsResults = postel.table(
  'tls_results',
  {
    /** UTC. */
    day: date().notNull(),
    policyDomain: text().notNull(),
    /** RFC 8460: `sts`, `tlsa` or `no-policy-found`. */
    policyType: text().notNull(),
    /** '' where no host was reached. */
    mxHost: text().notNull(),
    ipId: integer().notNull(),
    /** `success`, or the failure's name in RFC 8460 §4.3. */
    result: text().notNull(),
    sessions: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [
    primaryKey({
      columns: [t.day, t.policyDomain, t.policyType, t.mxHost, t.ipId, t.result],
      name: 'tls_results_pkey',
    }),
  ],
)
