/** How busy the connections of this process are, pool by pool: what the metrics of each app show. */

/** One pool's, from its opening to its end. Several of one name are shown as one. */
export class PoolUsage {
  readonly name: string
  readonly max: number
  /** Statements that have been sent or wait for a connection, and have not ended. */
  unfinished = 0
  failures = 0

  constructor(name: string, max: number) {
    this.name = name
    this.max = max
    open.add(this)
  }

  begin(): void {
    this.unfinished++
  }

  end(): void {
    this.unfinished--
  }

  fail(): void {
    this.unfinished--
    this.failures++
  }

  close(): void {
    open.delete(this)
    failed.set(this.name, (failed.get(this.name) ?? 0) + this.failures)
    this.failures = 0
  }
}

export type PoolState = { name: string; max: number; busy: number; waiting: number; failures: number }

const open = new Set<PoolUsage>()
/** Of pools that were closed: their counters must not fall. */
const failed = new Map<string, number>()

/** The pools of an app, by the beginning of their names (`postel-api`). */
export function poolStates(app: string): PoolState[] {
  const states = new Map<string, PoolState>()
  for (const { name, max, unfinished, failures } of open) {
    if (name !== app && !name.startsWith(`${app}-`)) continue
    const state = states.get(name) ?? { name, max: 0, busy: 0, waiting: 0, failures: failed.get(name) ?? 0 }
    states.set(name, state)
    state.max += max
    state.busy += Math.min(unfinished, max)
    state.waiting += Math.max(0, unfinished - max)
    state.failures += failures
  }
  return [...states.values()]
}
