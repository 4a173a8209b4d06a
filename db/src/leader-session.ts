/**
 * Leadership of one process among several: an advisory lock on a connection of its own. The lock lives exactly as long as its
 * connection, which is never made anew, so whatever is asked over it is asked by the leader or fails. What the leader does
 * elsewhere it does right after a proof.
 */
import pg from 'pg'
import { NoAnswerError } from './errors.ts'

/** The leader's lock is gone, or nobody knows: nothing more may be done in its name. */
export class LeadershipLost extends Error {
  override name = 'LeadershipLost'

  constructor(cause?: unknown) {
    super('this process does not lead any more', { cause })
  }
}

export type LeaderOptions = {
  /** A direct connection, not through a pooler. */
  url: string
  /** Shown in pg_stat_activity. */
  name: string
  /** Which leadership: the second half of the lock's key. */
  role: number
  /** A statement without an answer for so long ends leadership. Default 5,000 ms. */
  answerMs?: number
}

/** 'post' in ASCII, so that our locks do not meet those of others in the same database. */
const ourLocks = 0x706f7374
const connectMs = 5_000

// A leader whose machine went away without a word must not keep the lock for the hours that TCP gives it
const keepAlives = '-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3'

export class LeaderSession {
  readonly #client: pg.Client
  readonly #role: number
  readonly #answerMs: number
  readonly #lost = new AbortController()
  /** pg takes one statement at a time. */
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(client: pg.Client, { role, answerMs = 5_000 }: LeaderOptions) {
    this.#client = client
    this.#role = role
    this.#answerMs = answerMs
    client.on('error', (error) => this.#lose(error))
    client.on('end', () => this.#lose(new Error('its connection has ended')))
  }

  /**
   * Leads, if nobody else does: undefined then, at once. A connection that waits for the lock would hold a snapshot, so whoever wants it
   * asks again. Rejects when the database cannot be asked.
   */
  static async tryLead(options: LeaderOptions): Promise<LeaderSession | undefined> {
    const client = new pg.Client({
      connectionString: options.url,
      application_name: options.name,
      options: `${keepAlives} -c statement_timeout=10000 -c lock_timeout=5000 -c TimeZone=UTC`,
      connectionTimeoutMillis: connectMs,
      keepAlive: true,
    })
    const session = new LeaderSession(client, options)
    try {
      await client.connect()
      const [row] = await session.query<{ leads: boolean }>('select pg_try_advisory_lock($1, $2) as leads', [
        ourLocks,
        options.role,
      ])
      if (row?.leads) return session
    } catch (error) {
      await session.end()
      throw error
    }
    await session.end()
    return undefined
  }

  /** Aborts as soon as it is known that leadership is over, by end() too. Its reason is why, where that is known. */
  get signal(): AbortSignal {
    return this.#lost.signal
  }

  /** Runs a statement on the leader's connection. Rejects with LeadershipLost when it is gone or does not answer in time. */
  query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    const result = this.#tail.then(() => this.#query<Row>(text, values))
    this.#tail = result.catch(() => {})
    return result
  }

  async #query<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<Row[]> {
    if (this.signal.aborted) throw new LeadershipLost(this.signal.reason)
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new NoAnswerError()), this.#answerMs)
    })
    try {
      const result = await Promise.race([this.#client.query<Row>(text, [...values]), deadline])
      return result.rows
    } catch (error) {
      if (error instanceof pg.DatabaseError && error.severity !== 'FATAL' && !this.signal.aborted) throw error
      this.#lose(error)
      throw new LeadershipLost(this.signal.reason)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves when the server says that this session holds the lock at this moment. Rejects with LeadershipLost otherwise. */
  async prove(): Promise<void> {
    const [row] = await this.query<{ held: boolean }>(
      `select exists (
         select from pg_locks l
         where l.locktype = 'advisory' and l.pid = pg_backend_pid() and l.granted
           and l.classid = $1 and l.objid = $2 and l.objsubid = 2
       ) as held`,
      [ourLocks, this.#role],
    )
    if (row?.held && !this.signal.aborted) return
    this.#lose(new Error('the server says that it does not hold the lock'))
    throw new LeadershipLost(this.signal.reason)
  }

  /** Gives the lock back. */
  async end(): Promise<void> {
    this.#lost.abort()
    await Promise.race([
      this.#client.end().catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 1_000).unref()),
    ])
    this.#destroy()
  }

  /** What comes after the first cause is only its consequence. */
  #lose(cause: unknown): void {
    this.#lost.abort(cause)
    this.#destroy()
  }

  #destroy(): void {
    const { stream } = (this.#client as unknown as { connection: { stream: { destroy(): void } } }).connection
    stream.destroy()
  }
}
