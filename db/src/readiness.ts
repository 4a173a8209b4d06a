/** Whether a process can do its work: it has started, and its database has the schema of this version. */
import { connect, type Sql } from './client.ts'
import { awaitSchema, requireSchema } from './schema-version.ts'

/** Less than /readyz waits, so that it says why. */
const statementTimeoutMs = 4_000

export type ReadinessOptions = {
  url: string
  /** The process, as pg_stat_activity shows it. */
  name: string
  /** It has to wait for its database before it starts; see AwaitSchemaOptions. */
  onWaiting: (reason: string) => void
}

export class Readiness {
  /** One connection apart from the pool, so that a busy pool does not look like an absent database. */
  readonly sql: Sql
  readonly #onWaiting: (reason: string) => void
  /** What keeps it from being ready, until it has started. */
  #obstacle: string | undefined = 'starting'

  constructor({ url, name, onWaiting }: ReadinessOptions) {
    this.sql = connect(url, { name: `${name}-health`, max: 1, statementTimeoutMs })
    this.#onWaiting = onWaiting
  }

  get hasStarted(): boolean {
    return this.#obstacle === undefined
  }

  /** awaitSchema by the pool that the process goes on with; what it waits for is what is in the way. */
  schema(pool: Sql, signal: AbortSignal): Promise<boolean> {
    return awaitSchema(pool, {
      signal,
      onWaiting: (reason) => {
        this.#obstacle = reason
        this.#onWaiting(reason)
      },
    })
  }

  /** The process does its work from now on. */
  started(): void {
    this.#obstacle = undefined
  }

  /** For /readyz: rejects with what is in the way, and what to do about it. */
  async require(): Promise<void> {
    if (this.#obstacle !== undefined) throw new Error(this.#obstacle)
    await requireSchema(this.sql)
  }

  async stop(): Promise<void> {
    await this.sql.end({ timeout: 1 })
  }
}
