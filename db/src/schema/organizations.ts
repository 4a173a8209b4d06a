/** organizations: the tenants. Every tenant's row elsewhere names one. */
import { sql } from 'drizzle-orm'
import { bigint, boolean, check, integer, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel, uuidV7 } from './columns.ts'
import { plans } from './plans.ts'

export const organizations = postel.table(
  'organizations',
  {
    id: uuidV7().primaryKey(),
    name: text().notNull(),
    /** no_sending: mail is taken and held. no_receiving: no mail is taken. frozen: neither, and nothing can be changed. */
    status: text().notNull().default('active'),
    statusReason: text(),
    statusAt: instant(),
    /** A poor delivery rate does not stop it. */
    trusted: boolean().notNull().default(false),
    planId: uuid().references(() => plans.id),
    /** Over the plan's; null: the plan's. */
    monthlyRecipients: bigint({ mode: 'number' }),
    recipientsPerSecond: integer(),
    createdAt: createdAt(),
  },
  (t) => [
    check(
      'organizations_status_valid',
      sql`${t.status} in ('active', 'no_sending', 'no_receiving', 'frozen')`,
    ),
    check('organizations_monthly_recipients_valid', sql`${t.monthlyRecipients} >= 0`),
    check('organizations_recipients_per_second_valid', sql`${t.recipientsPerSecond} > 0`),
  ],
)
