/** What production installs, by the lockfile: the packages behind `npm ci --omit=dev --omit=optional --omit=peer`. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** An entry of the lockfile's `packages`, which is keyed by its place. */
export type Entry = {
  name?: string
  version?: string
  resolved?: string
  integrity?: string
  license?: string
  link?: boolean
  dev?: boolean
  optional?: boolean
  hasInstallScript?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  dependencies?: Record<string, string>
}

export type Package = { place: string; name: string; version: string; entry: Entry }

export const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  lockfileVersion: number
  packages: Record<string, Entry>
}

/** The workspaces that the image runs: what its npm ci is told to install. */
export function productionWorkspaces(): string[] {
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
  return [...dockerfile.matchAll(/ -w (\S+)/g)].map(([, path]) => path!)
}

/** Every package that ends up in the image, ordered by its place. */
export function productionPackages(): Package[] {
  const found = new Map<string, Package>()
  const visit = (from: string) => {
    for (const name of Object.keys(lock.packages[from]!.dependencies ?? {})) {
      const place = placeOf(name, from)
      const entry = lock.packages[place]!
      if (entry.link) continue
      if (found.has(place)) continue
      found.set(place, { place, name, version: entry.version!, entry })
      visit(place)
    }
  }
  for (const workspace of productionWorkspaces()) visit(workspace)
  return [...found.values()].sort((a, b) => (a.place < b.place ? -1 : 1))
}

/** As Node finds it: in the nearest node_modules upwards. */
function placeOf(name: string, from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const place = join(folder === '.' ? '' : folder, 'node_modules', name)
    if (!folder.endsWith('node_modules') && lock.packages[place]) return place
    if (folder === '.') throw new Error(`the lockfile has no ${name} for ${from}`)
  }
}

/** A package's own package.json, where it is installed here. */
export function manifestOf({
  place,
}: Package): { name: string; version: string; license?: unknown } | undefined {
  const file = join(root, place, 'package.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined
}
