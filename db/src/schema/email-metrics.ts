/** email_metrics: what happened to a project's mail in each quarter of an hour, counted by the worker from the events. */
import { sql } from 'drizzle-orm'
import { bigint, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

const count = () => bigint({ mode: 'number' }).notNull().default(sql`0`)

/** Counts are of recipients, by the moment of the event; opens and clicks count each time. */
export const emailMetrics = postel.table(
  'email_metrics',
  {
    organizationId: uuid().notNull(),
    projectId: uuid().notNull(),
    /** The start of the quarter of an hour: every time zone's hours begin at one. */
    period: instant().notNull(),
    /** The domain that the mail was signed for; empty for none. */
    domain: text().notNull(),
    /** Accepted and not suppressed. */
    sent: count(),
    delivered: count(),
    suppressed: count(),
    bounced: count(),
    bouncedPermanent: count(),
    bouncedTransient: count(),
    deliveryDelayed: count(),
    failed: count(),
    complained: count(),
    unsubscribed: count(),
    opened: count(),
    clicked: count(),
    /** First opens and first clicks of a recipient. */
    uniqueOpened: count(),
    uniqueClicked: count(),
  },
  (t) => [
    primaryKey({
      columns: [t.organizationId, t.period, t.projectId, t.domain],
      name: 'email_metrics_pkey',
    }),
  ],
)
