/** Finds the database and the program to ask it with. */
import { spawn } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { PsqlConfig } from './config.ts'
import { runStatements } from './psql-statements.ts'
import { readLiveState } from './run-state.ts'

/** Runs psql with `args`; resolves with the exit code. Rejects with an Error for the operator. */
export async function psql(args: readonly string[], readConfig: () => PsqlConfig): Promise<number> {
  const config = readConfig()
  const url = databaseUrl(config)
  const program = config.POSTEL_PSQL === 'builtin' ? undefined : findProgram('psql', config.PATH)
  if (program) return runProgram(program, url, args, config.environment)
  const statements = readStatements(args)
  if (statements) return runStatements(url, statements, process.stdout, process.stderr)
  throw new Error(
    `psql is not installed${config.POSTEL_PSQL === 'builtin' ? ' (POSTEL_PSQL=builtin)' : ''}, and without it only -c "…" works.\n` +
      'Debian, Ubuntu: apt install postgresql-client; Fedora: dnf install postgresql; macOS: brew install libpq.',
  )
}

/** The texts of `-c`, in any of psql's spellings; undefined when there is anything else, or nothing. */
export function readStatements(args: readonly string[]): string[] | undefined {
  const statements: string[] = []
  for (let index = 0; index < args.length; index++) {
    const [, attached] = /^(?:--command=|-c)([\s\S]+)$/.exec(args[index]!) ?? []
    if (attached !== undefined) statements.push(attached)
    else if (['-c', '--command'].includes(args[index]!) && index + 1 < args.length)
      statements.push(args[++index]!)
    else return undefined
  }
  return statements.length > 0 ? statements : undefined
}

function databaseUrl(config: PsqlConfig): string {
  const given = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
  if (given) return given
  const state = readLiveState(config.POSTEL_DATA_DIR)
  if (state) return state.databaseUrl
  throw new Error(
    `Postel is not running on ${config.POSTEL_DATA_DIR}. Start it with npm start, or set POSTEL_DATA_DIR or DATABASE_URL.`,
  )
}

function findProgram(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return statSync(file).isFile()
      } catch {
        return false
      }
    })
}

/** The password goes by the environment, because a command line can be read by everyone on the machine. */
function runProgram(program: string, url: string, args: readonly string[], environment: NodeJS.ProcessEnv) {
  const target = new URL(url)
  const password = decodeURIComponent(target.password)
  target.password = ''
  const child = spawn(program, ['-d', target.href, ...args], {
    stdio: 'inherit',
    env: { ...environment, ...(password && { PGPASSWORD: password }) },
  })
  // Ctrl-C in psql cancels a statement; it must not end us before psql
  process.on('SIGINT', () => {})
  return new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
