/** Keeps one child process running: starts it, starts it again when it ends, and stops it. */
import type { ChildProcess } from 'node:child_process'
import { pause } from '@postel/runtime/backoff'

/** What a supervisor needs of a child; `started` arrives as an IPC message `{event: 'started'}`. */
export type Child = Pick<ChildProcess, 'pid' | 'kill' | 'on' | 'once'>

export type SupervisorOptions = {
  name: string
  spawn: () => Child
  /** Runs before each start and is waited for; what it cannot do must not keep the child from starting. */
  prepare?: () => Promise<void>
  /** The child runs, and does not work yet. */
  onSpawned?: () => void
  onStarted?: () => void
  /** It has ended by itself and will be started again after `restartMs`. */
  onExit: (how: string, restartMs: number) => void
  /** What it wrote before it ended, to tell why the first start failed. */
  lastWords?: () => string
  /** How long the first start may take. Default 60,000 ms. */
  startMs?: number
}

const firstDelayMs = 100
const longestDelayMs = 10_000
const steadyMs = 60_000

/** Waits between restarts: 100 ms, doubled each time up to 10 s, from the beginning again after 60 s up. */
export class RestartDelay {
  #failures = 0

  /** The wait after a run of `upMs`. */
  next(upMs: number): number {
    if (upMs >= steadyMs) this.#failures = 0
    return Math.min(longestDelayMs, firstDelayMs * 2 ** this.#failures++)
  }
}

/** One child at a time. `start` may be called once, `stop` and `kill` at any time and more than once. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #stopped = new AbortController()
  #child: Child | undefined
  #running: Promise<void> | undefined

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  /** The child's process number while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /**
   * Resolves when the child says that it has started. Rejects, and starts it no more, when it ends or takes too long
   * before that; later it is started again as often as it ends.
   */
  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#running = this.#run(resolve, reject)
    })
  }

  /** Ends the child: SIGTERM, and SIGKILL if it is still there after `graceMs`. Returns when it has ended. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped.abort()
    this.#child?.kill('SIGTERM')
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), graceMs)
    await this.#running
    clearTimeout(timer)
  }

  /** Ends the child at once. */
  kill(): void {
    this.#stopped.abort()
    this.#child?.kill('SIGKILL')
  }

  /** Ends the child in order and starts it anew. */
  restart(): void {
    this.#child?.kill('SIGTERM')
  }

  async #run(onFirstStart: () => void, onFirstFailure: (error: Error) => void): Promise<void> {
    const { name, prepare, onExit, lastWords } = this.#options
    const { signal } = this.#stopped
    const delay = new RestartDelay()
    let worked = false
    for (;;) {
      await prepare?.()
      if (signal.aborted) break
      const began = performance.now()
      const how = await this.#once(() => {
        worked = true
        onFirstStart()
      }, worked)
      // What was told to end has not failed
      if (signal.aborted) break
      if (!worked) return onFirstFailure(new Error(`${name} could not start: ${lastWords?.() || how}`))
      const restartMs = delay.next(performance.now() - began)
      onExit(how, restartMs)
      await pause(restartMs, signal)
    }
    onFirstFailure(new Error(`${name} was stopped`))
  }

  /** One run of the child; resolves with how it ended. */
  #once(onStarted: () => void, again: boolean): Promise<string> {
    const { spawn, onSpawned, startMs = 60_000 } = this.#options
    return new Promise((resolve) => {
      let child: Child
      try {
        child = spawn()
      } catch (error) {
        return resolve(String(error))
      }
      this.#child = child
      let late = false
      const timer = again
        ? undefined
        : setTimeout(() => {
            late = true
            child.kill('SIGKILL')
          }, startMs)
      const end = (how: string) => {
        clearTimeout(timer)
        this.#child = undefined
        resolve(late ? `it was not ready after ${startMs / 1000} s` : how)
      }
      child.once('error', (error: Error) => end(error.message))
      // `close` comes after the last of its output
      child.once('close', (code: number | null, signal: string | null) =>
        end(signal ? `ended by ${signal}` : `exit code ${code}`),
      )
      child.on('message', (message: unknown) => {
        if ((message as { event?: string } | null)?.event !== 'started') return
        clearTimeout(timer)
        this.#options.onStarted?.()
        onStarted()
      })
      onSpawned?.()
    })
  }
}
