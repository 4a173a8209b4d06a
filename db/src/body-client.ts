/**
 * One dedicated connection for the statements that carry bodies. It uses pg, not postgres.js, because pg sends and
 * receives bytea in binary: for 100 KiB that is 0.16 against 0.92 ms of client CPU (postgres.js writes hex text).
 */
import pg from 'pg'
import { BinaryConnection, binaryTypes } from './binary-connection.ts'
import { isReadOnly, NoAnswerError } from './errors.ts'
import { PoolUsage } from './pool-usage.ts'

/** A statement by name, so that it is planned once per connection. */
export type Statement = { name: string; text: string }

export type BodyClientOptions = {
  url: string
  /** Shown in pg_stat_activity. */
  name: string
  /** The server cancels longer statements; the client gives up 5 s later and drops the connection. */
  statementTimeoutMs: number
  /** Settings of the session, e.g. planner switches. */
  settings?: Record<string, string>
}

const connectTimeoutMs = 10_000

/** Connects with the first statement and again after a fault. Statements run one after the other. */
export class BodyClient {
  readonly #options: BodyClientOptions
  readonly #usage: PoolUsage
  #client: Promise<pg.Client> | undefined
  #tail: Promise<void> = Promise.resolve()
  /** When the link was last found silent. */
  #silentAt = Number.NEGATIVE_INFINITY
  #stopped = false

  constructor(options: BodyClientOptions) {
    this.#options = options
    this.#usage = new PoolUsage(options.name, 1)
  }

  /**
   * Runs a statement; rejects with the server's error, or with NoAnswerError when it did not answer in time, and with it
   * what waited behind it. After a fault of the link its outcome is unknown and the connection is replaced.
   */
  query<Row extends pg.QueryResultRow>(
    statement: Statement,
    values: unknown[],
    options: { binary?: boolean } = {},
  ): Promise<Row[]> {
    // One after the other, so that the deadline of a statement begins when it is sent
    const queuedAt = performance.now()
    const result = this.#tail.then(() => {
      if (this.#silentAt > queuedAt) throw new NoAnswerError()
      return this.#query<Row>(statement, values, options)
    })
    this.#usage.begin()
    this.#tail = result.then(
      () => this.#usage.end(),
      () => this.#usage.fail(),
    )
    return result
  }

  async #query<Row extends pg.QueryResultRow>(
    statement: Statement,
    values: unknown[],
    options: { binary?: boolean },
  ): Promise<Row[]> {
    if (this.#stopped) throw new Error('the connection was closed')
    this.#client ??= this.#connect()
    const connecting = this.#client
    let client: pg.Client
    try {
      client = await connecting
    } catch (error) {
      if (this.#client === connecting) this.#client = undefined
      throw error
    }
    try {
      const result = await this.#within(
        this.#options.statementTimeoutMs + 5_000,
        client.query<Row>({
          ...statement,
          values,
          ...(options.binary && { binary: true }),
        } as pg.QueryConfig),
      )
      return result.rows
    } catch (error) {
      // An error reported by the server leaves the connection usable, unless another server is to be asked now.
      if (!(error instanceof pg.DatabaseError) || error.severity === 'FATAL' || isReadOnly(error))
        this.#drop(client)
      throw error
    }
  }

  async #within<T>(ms: number, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#silentAt = performance.now()
        reject(new NoAnswerError())
      }, ms)
    })
    return Promise.race([work, deadline]).finally(() => clearTimeout(timer))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#usage.close()
    const client = await this.#client?.catch(() => undefined)
    await client?.end().catch(() => {})
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: this.#options.name,
      statement_timeout: this.#options.statementTimeoutMs,
      lock_timeout: 10_000,
      keepAlive: true,
      connection: new BinaryConnection({ keepAlive: true }),
      types: binaryTypes,
    } as pg.ClientConfig)
    client.on('error', () => this.#drop(client))
    client.on('end', () => this.#drop(client))
    try {
      await this.#within(connectTimeoutMs, this.#open(client))
    } catch (error) {
      this.#destroy(client)
      throw error
    }
    this.#current = client
    return client
  }

  async #open(client: pg.Client): Promise<void> {
    await client.connect()
    for (const [name, value] of Object.entries(this.#options.settings ?? {}))
      await client.query('select set_config($1, $2, false)', [name, value])
  }

  #current: pg.Client | undefined

  #drop(client: pg.Client): void {
    if (this.#current === client) {
      this.#current = undefined
      this.#client = undefined
    }
    this.#destroy(client)
  }

  #destroy(client: pg.Client): void {
    const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
    stream.destroy()
  }
}
