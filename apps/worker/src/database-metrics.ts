/**
 * Metrics of the whole database, looked up when they are asked for, and kept for a while: however often that is, Postgres is
 * asked at most every 15 s. /metrics never waits long for it and never fails with it: what could not be looked up is left out.
 */
import type { DatabaseStateQueries } from '@postel/db/queries/database-state'
import type { Registry } from '@postel/runtime/metrics'
import { ReadMetric, type Value } from '@postel/runtime/tally'
import { type LookName, looks, metrics, type Sample } from './database-looks.ts'

export type DatabaseMetricsOptions = {
  registry: Registry
  queries: DatabaseStateQueries
  onError: (collector: string, error: unknown) => void
  /** How long /metrics waits for the database. Default 2,500 ms. */
  patienceMs?: number
  /** How long a look is good for, as a part of what it is by default. Tests: 0. */
  age?: number
}

type State = { values: Map<string, Value[]>; at: number; up: boolean; seconds: number }

const defaultPatienceMs = 2_500
const quickMs = 15_000
const slowMs = 60_000
/** It says whether the database is there. */
const first: LookName = 'activity'

export class DatabaseMetrics {
  readonly #options: DatabaseMetricsOptions
  readonly #states = new Map<LookName, State>()
  #looking: Promise<void> | undefined
  /** The database has not answered the present look in time. */
  #silent = false
  #stopped = false

  constructor(options: DatabaseMetricsOptions) {
    this.#options = options
    const registers = [options.registry]
    for (const name of Object.keys(looks) as LookName[])
      this.#states.set(name, { values: new Map(), at: Number.NEGATIVE_INFINITY, up: false, seconds: 0 })
    for (const { name, type, help, look } of metrics)
      new ReadMetric({
        name,
        type,
        help,
        registers,
        read: async () => {
          await this.#fresh()
          return this.#silent ? [] : (this.#states.get(look)!.values.get(name) ?? [])
        },
      })
    const gauge = (name: string, help: string, read: () => Value[]) =>
      new ReadMetric({ type: 'gauge', name, help, registers, read: () => this.#fresh().then(read) })
    gauge('postel_database_up', 'Whether the database answered the last look', () => [
      { labels: {}, value: Number(this.#states.get(first)!.up && !this.#silent) },
    ])
    gauge('postel_database_collector_up', 'Whether the last look at this part of the database worked', () =>
      this.#each(({ up }) => Number(up && !this.#silent)),
    )
    gauge('postel_database_collect_seconds', 'How long the last look at this part took', () =>
      this.#each(({ seconds }) => seconds),
    )
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#options.queries.stop()
    await this.#looking
  }

  #each(of: (state: State) => number): Value[] {
    return [...this.#states].map(([collector, state]) => ({ labels: { collector }, value: of(state) }))
  }

  /** Looks where that is due; resolves when that is done, or when it takes too long. */
  async #fresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
      this.#silent = false
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), this.#options.patienceMs ?? defaultPatienceMs)
    })
    const silent = await Promise.race([this.#looking.then(() => false), late])
    clearTimeout(timer)
    if (silent) this.#silent = true
  }

  async #look(): Promise<void> {
    const { queries, onError, age = 1 } = this.#options
    for (const [name, state] of this.#states) {
      const { slow, take } = looks[name]
      const startedAt = performance.now()
      if (this.#stopped || startedAt - state.at < age * (slow ? slowMs : quickMs)) {
        // It was away a moment ago: the others would only wait for it
        if (name === first && !state.up) return
        continue
      }
      try {
        state.values = valuesOf(await take(queries))
        state.up = true
      } catch (error) {
        if (this.#stopped) return
        onError(name, error)
        state.values = new Map()
        state.up = false
      }
      state.at = performance.now()
      state.seconds = (state.at - startedAt) / 1000
      if (name === first && !state.up) return this.#away()
    }
  }

  /** There is no use in asking for more, and what was seen is past. */
  #away(): void {
    for (const [name, state] of this.#states) {
      state.values = new Map()
      state.up = false
      if (name !== first) state.at = Number.NEGATIVE_INFINITY
    }
  }
}

function valuesOf(samples: readonly Sample[]): Map<string, Value[]> {
  const values = new Map<string, Value[]>()
  for (const [metric, value, labels = {}] of samples) {
    if (value === null) continue
    const series = values.get(metric) ?? []
    values.set(metric, series)
    series.push({ labels, value })
  }
  return values
}
