/** What the person at the terminal sees, and the log file that has all of it. */
import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { ConfigError } from '@postel/runtime/env'

const logBytesMax = 50 * 1024 * 1024
const levels: Readonly<Record<number, string>> = { 40: 'warn', 50: 'error', 60: 'fatal' }
const warnLevel = 40
const fatalLevel = 60
/** A line that an app repeats within this time is shown once. */
const repeatMs = 10_000

/** The lines of one app's run. */
export type AppOutput = {
  /** To be called once the app works: from then on its fatal lines are shown too. */
  started(): void
  /** The last lines that it wrote to stderr. */
  tail(): string
}

/**
 * Writes `<dataDir>/postel.log` (JSON lines, 0600; at 50 MiB it becomes `postel.log.1`) and keeps the screen calm: it shows
 * what is said to the operator, and the apps' warnings and errors.
 */
export class Terminal {
  readonly logFile: string
  #fd: number | undefined
  #bytes = 0
  #shown = new Map<string, number>()

  constructor(dataDir: string) {
    this.logFile = join(dataDir, 'postel.log')
    try {
      mkdirSync(dataDir, { recursive: true })
      this.#open()
    } catch (error) {
      throw new ConfigError(
        `Cannot write to the data directory ${dataDir}: ${(error as Error).message}. Set POSTEL_DATA_DIR to a directory of your own.`,
      )
    }
  }

  /** For the operator only. */
  say(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  /** For the log file only. */
  note(event: string, msg: string, app = 'standalone', level = 30): void {
    this.#write(`${JSON.stringify({ level, time: new Date().toISOString(), app, event, msg })}\n`)
  }

  /** Something has happened that the operator should know: one line on the screen, and in the file. */
  warn(event: string, msg: string): void {
    this.note(event, msg, 'standalone', warnLevel)
    process.stdout.write(`${clock()} ${msg}\n`)
  }

  /** A fault of this process, on stderr and in the file. */
  fault(event: string, msg: string): void {
    this.note(event, msg, 'standalone', fatalLevel)
    process.stderr.write(`${msg}\n`)
  }

  /** Takes over the output of an app's process. */
  attach(app: string, streams: { stdout: Readable | null; stderr: Readable | null }): AppOutput {
    let working = false
    const tail: string[] = []
    onLines(streams.stdout, (lines) => {
      for (const line of lines) this.#appLine(app, line, working)
    })
    onLines(streams.stderr, (lines) => {
      for (const line of lines) this.note('stderr', line, app, 50)
      tail.push(...lines)
      tail.splice(0, tail.length - 20)
    })
    return {
      started: () => {
        working = true
      },
      tail: () => tail.join('\n'),
    }
  }

  #appLine(app: string, line: string, working: boolean): void {
    const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? 0)
    if (level === 0) this.note('stdout', line, app)
    else this.#write(`${line}\n`)
    // Before an app works, what it dies of is told with the failed start
    if (level >= warnLevel && (working || level < fatalLevel)) this.#show(app, level, line)
  }

  #show(app: string, level: number, line: string): void {
    const text = `${app} ${levels[level] ?? level}: ${describe(line)}`
    const now = performance.now()
    if (now - (this.#shown.get(text) ?? Number.NEGATIVE_INFINITY) < repeatMs) return
    if (this.#shown.size > 1000) this.#shown.clear()
    this.#shown.set(text, now)
    process.stdout.write(`${clock()} ${text}\n`)
  }

  #open(): void {
    this.#fd = openSync(this.logFile, 'a', 0o600)
    this.#bytes = fstatSync(this.#fd).size
  }

  #write(text: string): void {
    try {
      if (this.#bytes > logBytesMax) {
        renameSync(this.logFile, `${this.logFile}.1`)
        if (this.#fd !== undefined) closeSync(this.#fd)
        this.#open()
      }
      if (this.#fd !== undefined) this.#bytes += writeSync(this.#fd, text)
    } catch {
      // A full disk must not stop the mail that can still be sent
    }
  }
}

function describe(line: string): string {
  try {
    const { msg, err } = JSON.parse(line)
    return err?.message && !String(msg).includes(err.message) ? `${msg} (${err.message})` : String(msg)
  } catch {
    return line
  }
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8)
}

function onLines(stream: Readable | null, take: (lines: string[]) => void): void {
  let rest = ''
  stream?.setEncoding('utf8')
  stream?.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (lines.length > 0) take(lines)
  })
  stream?.on('end', () => {
    if (rest !== '') take([rest])
  })
}
