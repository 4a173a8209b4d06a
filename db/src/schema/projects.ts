/** projects: streams of mail (transactional, a campaign, a customer), each with its pool and retry policy. */
import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, smallint, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel, uuidV7 } from './columns.ts'
import { ipPools } from './ip-pools.ts'
import { organizations } from './organizations.ts'

export const projects = postel.table(
  'projects',
  {
    id: uuidV7().primaryKey(),
    organizationId: uuid()
      .notNull()
      .references(() => organizations.id),
    name: text().notNull(),
    poolId: integer()
      .notNull()
      .references(() => ipPools.id),
    /** Waits between tries in seconds; null means postel.retry_delay's default. The last one repeats. */
    retryScheduleSeconds: integer().array(),
    /** How old a message may grow before an unfinished delivery expires. */
    expireAfterSeconds: integer().notNull().default(259200),
    /** Of its messages where they name none: 10 high (codes), 50 normal (receipts), 90 low (newsletters). */
    priority: smallint().notNull().default(50),
    /** `enforced`: only over TLS with a certificate that is good for the mail exchanger. */
    tls: text().notNull().default('opportunistic'),
    /** Delivery reports by mail: `asked` to senders that ask for them by SMTP, `failures` also without being asked. */
    reports: text().notNull().default('asked'),
    /** When the sender is told that mail is late; null: never. */
    delayNoticeAfterSeconds: integer(),
    /** Days after which its messages, with their record, are deleted; null: as long as RETENTION_DAYS. */
    retentionDays: integer(),
    /** Days that bodies are kept; 0: until nothing of the message is left to deliver; null: as long as the record. */
    bodyRetentionDays: integer(),
    /** Mail to one recipient gets List-Unsubscribe with one click (RFC 8058). */
    unsubscribe: boolean().notNull().default(false),
    /** Recipients a second; null: as its organization has it. */
    recipientsPerSecond: integer(),
    createdAt: createdAt(),
    /** Its keys are dead and it is shown nowhere; its mail stays on record. */
    deletedAt: instant(),
  },
  (t) => [
    index('projects_organization_id').on(t.organizationId),
    uniqueIndex('projects_name_per_organization')
      .on(t.organizationId, t.name)
      .where(sql`${t.deletedAt} is null`),
    check('projects_retention_days_positive', sql`${t.retentionDays} > 0`),
    check('projects_body_retention_days_valid', sql`${t.bodyRetentionDays} >= 0`),
    check('projects_recipients_per_second_valid', sql`${t.recipientsPerSecond} > 0`),
    check('projects_expire_after_positive', sql`${t.expireAfterSeconds} > 0`),
    check('projects_priority_valid', sql`${t.priority} between 0 and 100`),
    check('projects_tls_valid', sql`${t.tls} in ('opportunistic', 'enforced')`),
    check('projects_reports_valid', sql`${t.reports} in ('never', 'asked', 'failures')`),
    check('projects_delay_notice_positive', sql`${t.delayNoticeAfterSeconds} > 0`),
  ],
)
