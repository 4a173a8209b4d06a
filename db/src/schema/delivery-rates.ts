/** delivery_rates: how mail of each organization ended, by ten minutes; what automatic moderation looks at. Kept a day. */
import { bigint, primaryKey, uuid } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'

export const deliveryRates = postel.table(
  'delivery_rates',
  {
    organizationId: uuid().notNull(),
    /** Its beginning. */
    period: instant().notNull(),
    /** Recipients. */
    delivered: bigint({ mode: 'number' }).notNull().default(0),
    bounced: bigint({ mode: 'number' }).notNull().default(0),
    /** Of the bounced, those that do not exist. */
    invalid: bigint({ mode: 'number' }).notNull().default(0),
    complained: bigint({ mode: 'number' }).notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.period], name: 'delivery_rates_pkey' })],
)
