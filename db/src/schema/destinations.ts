/** destinations: the site that each recipient domain's mail goes to, as outbound last found it in DNS. A picture for people. */
import { text } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const destinations = postel.table('destinations', {
  domain: text().primaryKey(),
  /** What shares limits: a rule's name, or the first mail exchanger. */
  site: text().notNull(),
  /** Mail exchangers by preference. */
  mxHosts: text().array().notNull(),
  seenAt: instant().notNull(),
})
