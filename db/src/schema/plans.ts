/** plans: what an organization may use. A null limit is no limit. */
import { sql } from 'drizzle-orm'
import { bigint, check, integer, text } from 'drizzle-orm/pg-core'
import { createdAt, postel, uuidV7 } from './columns.ts'

export const plans = postel.table(
  'plans',
  {
    id: uuidV7().primaryKey(),
    name: text().notNull().unique('plans_name_unique'),
    /** Recipients a calendar month (UTC). */
    monthlyRecipients: bigint({ mode: 'number' }),
    /** Recipients a second, for each project and for each key. */
    recipientsPerSecond: integer(),
    createdAt: createdAt(),
  },
  (t) => [
    check('plans_monthly_recipients_valid', sql`${t.monthlyRecipients} >= 0`),
    check('plans_recipients_per_second_valid', sql`${t.recipientsPerSecond} > 0`),
  ],
)
