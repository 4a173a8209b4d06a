/** domains: the names that an organization may send from, once DNS has proved them. */
import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, jsonb, text, unique, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel, uuidV7 } from './columns.ts'
import { organizations } from './organizations.ts'
import { projects } from './projects.ts'

export const domains = postel.table(
  'domains',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    /** Only this project may send from it; null means every project of the organization. */
    projectId: uuid().references(() => projects.id),
    /** Lower-case ASCII (A-labels), no trailing dot. */
    name: text().notNull(),
    status: text().notNull().default('pending'),
    verifiedAt: instant(),
    /** What DNS must show to prove who owns it; each organization has its own. Null: an operator vouches for it, whatever DNS shows. */
    verificationToken: text(),
    /** Another organization has proved it since: from then on its keys in DNS prove nothing, only the new token does. */
    supersededAt: instant(),
    /** The registrable domain that it is or lies below: the zone in which people set its records. Null: its own name. */
    zone: text(),
    /** As it was asked for; nothing depends on it. */
    region: text().notNull().default('us-east-1'),
    /** Whether mail may be sent from it. */
    sending: boolean().notNull().default(true),
    /** The label below the domain that bounces come back to. */
    returnPath: text().notNull().default('send'),
    /** From then on it is the envelope sender's domain. */
    returnPathVerifiedAt: instant(),
    /** Whether mail to the domain is taken in. */
    receiving: boolean().notNull().default(false),
    receivingVerifiedAt: instant(),
    openTracking: boolean().notNull().default(false),
    clickTracking: boolean().notNull().default(false),
    /** The label below the domain that links are rewritten to. */
    trackingSubdomain: text(),
    trackingVerifiedAt: instant(),
    /** What the last look at DNS found: `{records: […]}`, as the API shows them. */
    checks: jsonb(),
    checkedAt: instant(),
    nextCheckAt: instant(),
    /** Since when DNS does not show what it must; null while it does. */
    failingSince: instant(),
    /** Checks in a row that did not find it. */
    failedChecks: integer().notNull().default(0),
    /** `enforced`: mail of this sender domain leaves only over TLS with a good certificate. */
    tls: text().notNull().default('opportunistic'),
    createdAt: createdAt(),
  },
  (t) => [
    unique('domains_name_per_organization').on(t.organizationId, t.name),
    uniqueIndex('domains_verified_once').on(t.name).where(sql`${t.status} = 'verified'`),
    index('domains_project_id').on(t.projectId),
    index('domains_next_check_at').on(t.nextCheckAt),
    check('domains_status_valid', sql`${t.status} in ('pending', 'verified', 'failed')`),
    check('domains_tls_valid', sql`${t.tls} in ('opportunistic', 'enforced')`),
    check('domains_name_canonical', sql`${t.name} = lower(${t.name}) and ${t.name} !~ '\\.$'`),
  ],
)
