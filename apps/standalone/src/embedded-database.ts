/** The embedded Postgres, kept running. */
import { join } from 'node:path'
import { PostgresCluster } from '@postel/db/embedded/cluster'
import { pause } from '@postel/runtime/backoff'
import { RestartDelay } from './supervisor.ts'
import type { Terminal } from './terminal.ts'

const immediateMs = 5_000

/** A server in `<dataDir>/postgres` that is started again whenever it ends by itself. */
export class EmbeddedDatabase {
  readonly #cluster: PostgresCluster
  readonly #terminal: Terminal
  readonly #onMoved: (url: string) => void
  readonly #stopped = new AbortController()
  #watching: Promise<void> | undefined

  /** `onMoved` is called when a restart had to choose another port. */
  constructor(dataDir: string, terminal: Terminal, onMoved: (url: string) => void) {
    this.#cluster = new PostgresCluster({ dataDir: join(dataDir, 'postgres') })
    this.#terminal = terminal
    this.#onMoved = onMoved
  }

  get url(): string {
    return this.#cluster.url
  }

  /** Throws a ClusterError, whose message is for the operator. */
  async start(): Promise<void> {
    await this.#cluster.start()
    this.#watching = this.#watch()
  }

  /** Stops it cleanly and returns when it has ended. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#cluster.stop()
    await this.#watching
    await this.#cluster.stop()
  }

  /** Ends it without a checkpoint, in a moment; the next start recovers. */
  async kill(): Promise<void> {
    this.#stopped.abort()
    await Promise.race([this.#cluster.stop('immediate'), pause(immediateMs)])
  }

  async #watch(): Promise<void> {
    const delay = new RestartDelay()
    const { signal } = this.#stopped
    let began = performance.now()
    for (;;) {
      const { code, signal: killedBy, expected } = await this.#cluster.exited
      if (expected || signal.aborted) return
      let how = killedBy ? `ended by ${killedBy}` : `exit code ${code}`
      for (let up = false; !up; ) {
        // A start that a stop has cut short has not failed
        if (signal.aborted) return
        const restartMs = delay.next(performance.now() - began)
        this.#terminal.warn('postgres_ended', `PostgreSQL: ${how}; it is started again in ${restartMs} ms`)
        await pause(restartMs, signal)
        if (signal.aborted) return
        began = performance.now()
        try {
          await this.#restart()
          up = true
        } catch (error) {
          how = error instanceof Error ? error.message : String(error)
        }
      }
    }
  }

  async #restart(): Promise<void> {
    const before = this.url
    await this.#cluster.start()
    this.#terminal.warn('postgres_started', 'PostgreSQL runs again')
    if (this.url !== before) this.#onMoved(this.url)
  }
}
