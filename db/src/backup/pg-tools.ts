/** pg_dump, pg_restore and psql, which must be on PATH. */
import { execFile, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'

/** One of them is missing, too old, or has failed. The message is for people. */
export class ToolError extends Error {
  override name = 'ToolError'
}

export type Tool = { name: 'pg_dump' | 'pg_restore' | 'psql'; version: string; major: number }

/** The end of what a tool has written to stderr is kept for its error. */
const wordsMax = 4_000

/** Finds a tool. Throws a ToolError that says how to get it. */
export async function findTool(name: Tool['name'], env: NodeJS.ProcessEnv): Promise<Tool> {
  let words: string
  try {
    words = (await promisify(execFile)(name, ['--version'], { env: toolEnv(env) })).stdout
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ENOENT'
    throw new ToolError(
      missing
        ? `${name} is not on PATH: install PostgreSQL's client programs (Debian: postgresql-client)`
        : `${name} does not run: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    )
  }
  const version = /(\d+)(\.\d+)*/.exec(words)?.[0] ?? ''
  return { name, version, major: Number.parseInt(version, 10) }
}

/** Throws a ToolError unless a pg_dump of this version can dump a server of that one. */
export function requireDumpFor(tool: Tool, server: { version: string; major: number }): void {
  if (tool.major < server.major)
    throw new ToolError(
      `pg_dump ${tool.version} cannot dump a PostgreSQL ${server.version} server: put pg_dump ${server.major} or newer first on PATH`,
    )
}

export type Running = {
  stdout: Readable
  /** Resolves when it has ended well; rejects with a ToolError that has its last words. */
  ended: Promise<void>
  kill(): void
}

/**
 * Starts pg_dump in the custom format, compressed, of everything in schema postel. What is left out: bodies, where they
 * are not wanted; and which schemas the database has had, so that no process starts on a restored one before it is ready.
 * graphile-worker's jobs are left out too: each of them is made anew from the tables.
 */
export function startDump(
  url: string,
  options: { snapshot: string; bodies: boolean },
  env: NodeJS.ProcessEnv,
): Running {
  const args = [
    '--format=custom',
    '--compress=4',
    '--schema=postel',
    '--no-password',
    `--snapshot=${options.snapshot}`,
    '--lock-wait-timeout=60000',
    '--exclude-table-data=postel.schema_versions',
    ...(options.bodies ? [] : ['--exclude-table-data=postel.message_bodies*']),
  ]
  return start('pg_dump', url, args, env)
}

/**
 * Restores a dump from a stream in one transaction: all of it or nothing. Objects belong to whoever connects.
 * `throughPsql`: see needsPsql.
 */
export async function runRestore(
  url: string,
  dump: AsyncIterable<Uint8Array>,
  env: NodeJS.ProcessEnv,
  throughPsql: boolean,
): Promise<void> {
  const args = ['--format=custom', '--no-owner', '--no-privileges']
  const restore = throughPsql
    ? start('pg_restore', null, [...args, '--file=-'], env)
    : start('pg_restore', url, [...args, '--single-transaction', '--no-password'], env)
  if (!throughPsql) {
    restore.stdout.resume()
    return feed(dump, restore)
  }
  const psqlArgs = [
    '--no-psqlrc',
    '--quiet',
    '--single-transaction',
    '--set=ON_ERROR_STOP=1',
    '--no-password',
  ]
  const psql = start('psql', url, [...psqlArgs, '--file=-'], env)
  psql.stdout.resume()
  const results = await Promise.allSettled([
    feed(dump, restore),
    // Its script is only whole when it has ended well; what psql reads last commits
    feed(withoutTransactionTimeout(restore.stdout, restore.ended), psql),
  ])
  const failed = results.filter((result) => result.status === 'rejected').map((result) => result.reason)
  if (failed.length > 0)
    throw failed.find((error) => error instanceof ToolError && error.message.startsWith('psql')) ?? failed[0]
}

/**
 * pg_restore 17 and newer begin with a setting that older servers do not know, and then give up. So for those its script
 * goes, without that line, through psql.
 */
export function needsPsql(tool: Tool, server: { major: number }): boolean {
  return tool.major >= 17 && server.major < 17
}

/**
 * Writes all of it to a program; resolves when that has ended well. An error of what is read comes before all else, and
 * kills the program before it could take the end of its input for the end of a script. Otherwise its own words count: it
 * may have closed its input before it said why.
 */
async function feed(input: AsyncIterable<Uint8Array>, program: ReturnType<typeof start>): Promise<void> {
  let unread: { cause: unknown } | undefined
  const watched = async function* () {
    try {
      yield* input
    } catch (cause) {
      unread = { cause }
      program.kill()
      throw cause
    }
  }
  await pipeline(watched, program.stdin).catch(() => {})
  if (!unread) return program.ended
  await program.ended.catch(() => {})
  throw unread.cause
}

const headBytes = 2_000

/** The script of pg_restore without one line of its head; breaks off when pg_restore has failed. */
async function* withoutTransactionTimeout(
  script: AsyncIterable<Buffer>,
  ended: Promise<void>,
): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0)
  const passed = (text: Buffer) =>
    Buffer.from(text.toString('latin1').replace(/^SET transaction_timeout = 0;$/m, ''), 'latin1')
  for await (const chunk of script) {
    if (head === undefined) {
      yield chunk
      continue
    }
    head = Buffer.concat([head, chunk])
    if (head.length < headBytes) continue
    yield passed(head)
    head = undefined
  }
  if (head !== undefined) yield passed(head)
  await ended
}

/** `url`: the database that it connects to, if it is to. */
function start(name: Tool['name'], url: string | null, args: readonly string[], env: NodeJS.ProcessEnv) {
  // Everybody on the machine can read a command line: the password goes by the environment
  const target = url === null ? null : new URL(url)
  const password = decodeURIComponent(target?.password ?? '')
  if (target) target.password = ''
  const child = spawn(name, [...args, ...(target ? [`--dbname=${target.href}`] : [])], {
    env: {
      ...toolEnv(env),
      PGAPPNAME: `${name === 'pg_dump' ? 'postel-backup' : 'postel-restore'}-${name}`,
      ...(password !== '' && { PGPASSWORD: password }),
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let words = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-wordsMax)
  })
  if (name === 'pg_dump') child.stdin.end()
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', (cause) => reject(new ToolError(`${name} does not run: ${cause.message}`, { cause })))
    child.once('close', (code, signal) => {
      if (code === 0) return resolve()
      reject(new ToolError(`${name} has failed (${signal ?? `exit code ${code}`}): ${words.trim()}`))
    })
  })
  ended.catch(() => {})
  return { stdin: child.stdin, stdout: child.stdout, ended, kill: () => void child.kill('SIGTERM') }
}

/** What the programs and libpq read, and no secret of ours. */
function toolEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = Object.keys(env).filter((name) => /^(PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|PG\w+)$/.test(name))
  return Object.fromEntries(names.map((name) => [name, env[name]]))
}
