/** An app as a process of its own, to be killed, stopped and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { patience } from '@postel/db/testing/patience'

/** `ip-manager/agent`: the interface agent. */
export type AppName = 'inbound' | 'outbound' | 'worker' | 'api' | 'ip-manager' | 'ip-manager/agent'

export type Exit = { code: number | null; signal: NodeJS.Signals | null }

const root = fileURLToPath(new URL('../..', import.meta.url))
const startSeconds = 30 * patience
const mains: Partial<Record<AppName, string>> = { 'ip-manager/agent': 'apps/ip-manager/src/agent/main.ts' }

export type ProcessOptions = {
  /** As `ulimit -n` sets it. */
  openFilesMax?: number
  /** The network namespace that it runs in. */
  namespace?: string
}

export class AppProcess {
  readonly name: string
  readonly #app: AppName
  readonly #env: Record<string, string>
  readonly #logFile: string
  readonly #options: ProcessOptions
  #child: ChildProcess | undefined
  #exited: Promise<Exit> = Promise.resolve({ code: 0, signal: null })
  #expected = false
  /** Ends that nobody here asked for. */
  readonly surprises: string[] = []

  constructor(
    name: string,
    app: AppName,
    env: Record<string, string>,
    logFile: string,
    options: ProcessOptions = {},
  ) {
    this.name = name
    this.#app = app
    this.#env = env
    this.#logFile = logFile
    this.#options = options
  }

  /** Resolves when the app says that it works. */
  async start(): Promise<void> {
    const log = openSync(this.#logFile, 'a')
    const { openFilesMax, namespace } = this.#options
    const command = [process.execPath, mains[this.#app] ?? `apps/${this.#app}/src/main.ts`]
    if (openFilesMax) command.unshift('sh', '-c', `ulimit -n ${openFilesMax}; exec "$0" "$@"`)
    if (namespace) command.unshift('ip', 'netns', 'exec', namespace)
    const child = spawn(command[0]!, command.slice(1), {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', ...this.#env },
      stdio: ['ignore', log, log, 'ipc'],
    })
    closeSync(log)
    this.#child = child
    this.#expected = false
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        if (!this.#expected)
          this.surprises.push(`${this.name} ended by itself (${signal ?? code}): ${this.logTail()}`)
        resolve({ code, signal })
      })
    })
    const started = new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve())
      const timer = setTimeout(
        () => reject(new Error(`${this.name} is not ready in time`)),
        startSeconds * 1000,
      )
      void this.#exited.then(() => reject(new Error(`${this.name} could not start: ${this.logTail()}`)))
      child.once('message', () => clearTimeout(timer))
      child.once('exit', () => clearTimeout(timer))
    })
    await started
  }

  get pid(): number {
    return this.#child!.pid!
  }

  /** Sends a signal and gives how the process ended; for signals that end it. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<Exit> {
    this.#expected = true
    this.#child?.kill(signal)
    return this.#exited
  }

  /** For signals that do not end it. */
  signal(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGUSR2'): void {
    this.#child?.kill(signal)
  }

  logTail(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-1500)
  }
}
