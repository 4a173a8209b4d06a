/** The one place that reads SQLSTATEs: what a failed statement means for the mail that was in it. */

/**
 * - `data`: this input can never be stored; the same statement will fail again
 * - `full`: the database has no room (disk, quota)
 * - `unavailable`: no answer, overload, restart, lock or failover; the same statement may succeed later
 */
export type DatabaseFault = 'data' | 'full' | 'unavailable'

/** The link is silent: nothing came back in time. */
export class NoAnswerError extends Error {
  override name = 'NoAnswerError'
  constructor() {
    super('the database does not answer')
  }
}

const fullStates = new Set(['53100', '53200', '54023'])
const checkViolation = '23514'

/** Classifies anything thrown by postgres.js or pg. What is not known is `unavailable`, the safe default for mail. */
export function databaseFault(error: unknown): DatabaseFault {
  const state = sqlState(error)
  if (state === undefined) return 'unavailable'
  if (fullStates.has(state)) return 'full'
  // A row without a partition for its day breaks no named constraint: nothing is wrong with the input
  if (state === checkViolation && !constraintOf(error)) return 'unavailable'
  // 22 data exception, 23 integrity, 54 a limit exceeded, P0 raised
  if (/^(22|23|54|P0)/.test(state)) return 'data'
  return 'unavailable'
}

/** Whether mail came too late for the block of quota that it was counted against. */
export function isEndedBlock(error: unknown): boolean {
  return sqlState(error) === 'PQ001'
}

/** Whether the server takes no writes: it is a standby now, and new connections may reach its successor. */
export function isReadOnly(error: unknown): boolean {
  return sqlState(error) === '25006'
}

/** The SQLSTATE of an error from Postgres itself; undefined for anything else (network, driver). */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  const code = error.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && 'severity' in error ? code : undefined
}

/** The name of the constraint that was broken; pg and postgres.js call the field differently. */
function constraintOf(error: unknown): string | undefined {
  const { constraint, constraint_name } = error as { constraint?: string; constraint_name?: string }
  return constraint ?? constraint_name
}

/** What a function of ours refused, in words for whoever called it; undefined for any other error. */
export function refusalOf(error: unknown): string | undefined {
  const { routine } = error as { routine?: string }
  return sqlState(error) === '22023' && routine === 'exec_stmt_raise' ? (error as Error).message : undefined
}

/** Whether a row with this name, or this address, is there already. */
export function isDuplicate(error: unknown): boolean {
  return sqlState(error) === '23505'
}

/** Whether a row is still needed by others, or needs one that is not there. */
export function isReferenced(error: unknown): boolean {
  return sqlState(error) === '23503'
}
