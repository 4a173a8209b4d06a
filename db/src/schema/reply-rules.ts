/** reply_rules: an operator's own readings of remote replies; they come before the shipped ones of lib/mail. */
import { sql } from 'drizzle-orm'
import { check, integer, text } from 'drizzle-orm/pg-core'
import { createdAt, postel } from './columns.ts'

export const replyRules = postel.table(
  'reply_rules',
  {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    /** Lower comes first. */
    position: integer().notNull().default(100),
    /** Only replies of this mail exchanger and all below; null: of any. */
    mx: text(),
    /** A regular expression (JavaScript, case-insensitive) for the whole reply, codes included. */
    pattern: text().notNull(),
    category: text().notNull(),
    /** Instead of what the reply's first digit says; null: that. */
    outcome: text(),
    note: text(),
    createdAt: createdAt(),
  },
  (t) => [check('reply_rules_outcome_valid', sql`${t.outcome} in ('deferred', 'bounced')`)],
)
