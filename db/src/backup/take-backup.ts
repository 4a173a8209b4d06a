/**
 * A backup: lock → pg_dump, in a snapshot → encrypt → upload in parts → check what is stored → manifest → write down → delete
 * what is outdated. The object appears only when pg_dump has ended well, and the backup counts only once its manifest is there.
 */
import { createHash } from 'node:crypto'
import { connect } from '../client.ts'
import {
  beginBackup,
  type DatabaseFacts,
  finishBackup,
  lockBackups,
  readFacts,
  withSnapshot,
} from '../queries/backups.ts'
import { encrypt } from './encryption.ts'
import { type Keeping, outdated } from './keeping.ts'
import { type Manifest, manifestSuffix, objectName, objectSuffix, startOf } from './manifest.ts'
import type { ObjectStore } from './object-store.ts'
import { findTool, requireDumpFor, startDump, type Tool } from './pg-tools.ts'

export type BackupOptions = {
  /** A direct connection, as a role that may read everything. */
  url: string
  store: ObjectStore
  prefix: string
  recipients: readonly string[]
  bodies: boolean
  /** Reads the stored object again, all of it. */
  readBack: boolean
  keeping: Keeping
  postelVersion: string
  /** For pg_dump: PATH, and what libpq reads. */
  env: NodeJS.ProcessEnv
  say: (line: string) => void
  signal?: AbortSignal
}

/** Somebody else takes a backup of this database now. */
export class BackupRunningError extends Error {
  override name = 'BackupRunningError'
}

const mebibyte = 1024 * 1024
/** S3 takes at most 10,000 parts; the dump is mostly smaller than the database. */
const partsAimed = 6_000
const partBytesMin = 8 * mebibyte
/** An upload, or an object without a manifest, that is older than this is nobody's any more. */
const abandonedMs = 2 * 86_400_000

/**
 * Takes a backup. Throws what went wrong, which also stands in postel.backups. What is half done counts as none, and is taken
 * away as far as the storage lets us.
 */
export async function takeBackup(options: BackupOptions): Promise<Manifest> {
  const { url, prefix, bodies, postelVersion, env } = options
  const sql = connect(url, { name: 'postel-backup', max: 1, statementTimeoutMs: 0 })
  try {
    const tool = await findTool('pg_dump', env)
    const facts = await readFacts(sql)
    requireDumpFor(tool, { version: facts.serverVersion, major: facts.serverMajor })
    if (!(await lockBackups(sql)))
      throw new BackupRunningError('another backup of this database is being taken')
    const startedAt = new Date()
    const object = objectName(prefix, startedAt, postelVersion)
    const id = await beginBackup(sql, { object, bodies, startedAt })
    let manifest: Manifest
    try {
      manifest = await dump(options, { tool, facts, startedAt, object })
    } catch (error) {
      await finishBackup(sql, id, { bytes: null, error: words(error) }).catch((unwritten) => {
        // Often of the same cause, which says more
        options.say(`That it failed could not be written down: ${words(unwritten)}`)
      })
      throw error
    }
    const problem = await clean(options, object).catch((error) => {
      options.say(`The backup is good, but what is outdated could not be deleted: ${words(error)}`)
      return `what is outdated could not be deleted: ${words(error)}`
    })
    await finishBackup(sql, id, { bytes: manifest.bytes, error: problem ?? null })
    return manifest
  } finally {
    await sql.end({ timeout: 5 })
  }
}

type Started = { tool: Tool; facts: DatabaseFacts; startedAt: Date; object: string }

async function dump(options: BackupOptions, started: Started): Promise<Manifest> {
  const { url, store, recipients, bodies, readBack, postelVersion, env, say, signal } = options
  const { tool, facts, startedAt, object } = started
  const partBytes = Math.max(partBytesMin, Math.ceil(facts.databaseBytes / partsAimed / mebibyte) * mebibyte)
  const sha256 = createHash('sha256')
  // Its connection is one of its own: what became of the backup is written down by another
  const { bytes, rows } = await withSnapshot(url, async (snapshot, rows) => {
    const running = startDump(url, { snapshot, bodies }, env)
    const onAbort = () => running.kill()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      const encrypted = await encrypt(running.stdout, recipients)
      const hashed = (async function* () {
        for await (const chunk of encrypted) {
          sha256.update(chunk)
          yield chunk
        }
      })()
      // Its end alone does not say whether it is whole
      const bytes = await store.upload(object, hashed, partBytes, () => running.ended)
      return { bytes, rows }
    } catch (error) {
      running.kill()
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  })
  const digest = sha256.digest('hex')
  try {
    await check(store, object, { bytes, digest }, readBack)
    const manifest: Manifest = {
      format: 1,
      object,
      startedAt: startedAt.toISOString(),
      finishedAt: new Date().toISOString(),
      bytes,
      sha256: digest,
      bodies,
      postelVersion,
      schemaDigest: facts.schemaDigest,
      migrations: facts.migrations,
      postgresVersion: facts.serverVersion,
      pgDumpVersion: tool.version,
      recipients: [...recipients],
      rows,
    }
    await store.put(object + manifestSuffix, Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`))
    const seconds = (Date.now() - startedAt.getTime()) / 1000
    say(`${store.describe(object)}: ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(0)} s`)
    return manifest
  } catch (error) {
    // It may have been stored although its answer was lost, and nobody may find a backup without its object
    await store.discard(object + manifestSuffix)
    await store.discard(object)
    throw error
  }
}

async function check(
  store: ObjectStore,
  object: string,
  expected: { bytes: number; digest: string },
  readBack: boolean,
): Promise<void> {
  const size = await store.size(object)
  if (size !== expected.bytes)
    throw new Error(`${object} was stored with ${size ?? 'no'} bytes instead of ${expected.bytes}`)
  if (!readBack) return
  const sha256 = createHash('sha256')
  for await (const chunk of await store.read(object)) sha256.update(chunk)
  if (sha256.digest('hex') !== expected.digest)
    throw new Error(`${object} was stored, and what is read back is something else`)
}

/** Deletes backups that need not be kept any more, and what killed processes have left; nothing that was not made here. */
async function clean({ store, prefix, keeping, say }: BackupOptions, made: string): Promise<undefined> {
  if (keeping.days === 0) return
  const now = new Date()
  const abandoned = new Date(now.getTime() - abandonedMs)
  const names = new Set((await store.list(`${prefix}postel-`)).map((found) => found.key))
  if (!names.has(made)) throw new Error(`the storage does not list ${made}, which it has`)
  const good = new Map<string, Date>()
  const gone: string[] = []
  for (const name of names) {
    const startedAt = startOf(prefix, name)
    if (startedAt === undefined) continue
    if (name.endsWith(objectSuffix)) {
      if (names.has(name + manifestSuffix)) good.set(name, startedAt)
      else if (startedAt < abandoned) gone.push(name)
    } else if (!names.has(name.slice(0, -manifestSuffix.length)) && startedAt < abandoned) gone.push(name)
  }
  for (const name of outdated(good, keeping, now)) {
    // Its manifest first: what has none counts as no backup
    gone.push(name + manifestSuffix, name)
  }
  for (const name of gone) await store.remove(name)
  if (gone.length > 0)
    say(`Deleted ${gone.filter((name) => name.endsWith(objectSuffix)).length} outdated backups.`)
  await store.abortUploads(`${prefix}postel-`, abandoned)
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
