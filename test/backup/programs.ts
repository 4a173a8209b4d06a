/** npm run backup and npm run restore as programs of their own, and a PostgreSQL server that this machine's pg_dump can dump. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { findTool } from '@postel/db/backup/pg-tools'
import { type Binaries, systemBinaries } from '@postel/db/embedded/binaries'
import { testBinaries } from '@postel/db/testing/server'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The tests' own PostgreSQL where pg_dump is new enough for it, else the system's of pg_dump's version; or why there is none. */
export async function dumpableServer(): Promise<{ binaries: Binaries } | { missing: string }> {
  try {
    const [dump, restore] = await Promise.all([
      findTool('pg_dump', process.env),
      findTool('pg_restore', process.env),
    ])
    const own = testBinaries()
    const major = Math.min(dump.major, restore.major)
    return { binaries: own.major <= major ? own : systemBinaries(major) }
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) }
  }
}

export type Ended = { code: number; output: string; errors: string }

/** Runs one of the two as npm does, with these variables and no other. */
export function run(
  program: 'backup' | 'restore',
  env: Record<string, string>,
  args: readonly string[] = [],
  signal?: AbortSignal,
): Promise<Ended> {
  const file = program === 'backup' ? 'main' : 'restore-main'
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [`db/src/backup/${file}.ts`, ...args],
      {
        cwd: root,
        env: { PATH: process.env.PATH ?? '', ...env },
        killSignal: 'SIGTERM',
        ...(signal && { signal }),
      },
      (error, output, errors) => resolve({ code: error ? Number(error.code ?? -1) : 0, output, errors }),
    )
  })
}
