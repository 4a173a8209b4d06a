/** ip_moves: each move of a source IP to a node, from the decision to its end, so that whoever comes next can finish it. */
import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { instant, postel } from './columns.ts'
import { ipAddresses } from './ip-addresses.ts'

export const ipMoves = postel.table(
  'ip_moves',
  {
    id: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    ipId: integer()
      .notNull()
      .references(() => ipAddresses.id),
    /** Null: it was on no node. */
    fromNode: text(),
    toNode: text().notNull(),
    reason: text().notNull(),
    /**
     * Releasing: its holder ends what is in flight, or the provider could not be asked yet. Attaching: nobody holds it, and the
     * provider may have been asked to move it.
     */
    state: text().notNull().default('releasing'),
    /** Tries, whether or not the provider could be asked. */
    attempts: integer().notNull().default(0),
    /** Why the last call did not move it, or why the move was given up. */
    error: text(),
    retryAt: instant(),
    startedAt: instant().notNull().default(sql`now()`),
    endedAt: instant(),
  },
  (t) => [
    uniqueIndex('ip_moves_one_open').on(t.ipId).where(sql`${t.endedAt} is null`),
    index('ip_moves_ended_at').on(t.endedAt),
    check(
      'ip_moves_reason_valid',
      sql`${t.reason} in ('unassigned', 'node gone', 'node draining', 'spread', 'pinned', 'astray')`,
    ),
    check('ip_moves_state_valid', sql`${t.state} in ('releasing', 'attaching', 'done', 'cancelled')`),
    check('ip_moves_ended_or_open', sql`(${t.endedAt} is null) = (${t.state} in ('releasing', 'attaching'))`),
  ],
)
