/**
 * A restore: choose a backup → check that it and the target fit → download, decrypt and pg_restore in one stream and one
 * transaction → migrate to this version → compare → hold all mail → only then the schema's version, for which processes wait.
 * Nothing is written to disk, and a restore that fails on the way leaves the database empty.
 */
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { connect } from '../client.ts'
import { migrate } from '../migrate.ts'
import { analyze, countBodiless, countRows, holdRestored, readTarget } from '../queries/backups.ts'
import { decrypt } from './encryption.ts'
import { type Manifest, manifestSuffix, objectSuffix, parseManifest, startOf } from './manifest.ts'
import type { ObjectStore } from './object-store.ts'
import { findTool, needsPsql, runRestore } from './pg-tools.ts'

/** What cannot be done, in words for people. Nothing was changed. */
export class RestoreRefusedError extends Error {
  override name = 'RestoreRefusedError'
}

/** The backups in the storage, the newest first; objects without a manifest are none. */
export async function listBackups(store: ObjectStore, prefix: string): Promise<Manifest[]> {
  const names = (await store.list(`${prefix}postel-`))
    .map((found) => found.key)
    .filter((name) => name.endsWith(objectSuffix + manifestSuffix) && startOf(prefix, name) !== undefined)
    .sort()
    .reverse()
  const found: Manifest[] = []
  for (const name of names) {
    const text = await store.text(name)
    if (text !== undefined) found.push(parseManifest(name, text))
  }
  return found
}

/** The manifest of a backup by its object's name; `latest` is the newest. */
export async function chooseBackup(store: ObjectStore, prefix: string, object: string): Promise<Manifest> {
  if (object === 'latest') {
    const [newest] = await listBackups(store, prefix)
    if (!newest) throw new RestoreRefusedError(`there is no backup below ${store.describe(prefix)}`)
    return newest
  }
  const name = object.startsWith(prefix) ? object : prefix + object
  const text = await store.text(name + manifestSuffix)
  if (text === undefined)
    throw new RestoreRefusedError(
      `there is no backup ${store.describe(name)}; --list shows those that are there`,
    )
  return parseManifest(name + manifestSuffix, text)
}

/** The decrypted dump. Its reader meets an error at the end when the object is not the one that was stored. */
async function open(
  store: ObjectStore,
  manifest: Manifest,
  identityFile: string,
): Promise<AsyncIterable<Uint8Array>> {
  const sha256 = createHash('sha256')
  const hashed = (await store.read(manifest.object)).pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        sha256.update(chunk)
        controller.enqueue(chunk)
      },
      flush(controller) {
        if (sha256.digest('hex') !== manifest.sha256)
          controller.error(
            new Error(`${manifest.object} is damaged: its SHA-256 is not that of its manifest`),
          )
      },
    }),
  )
  return decrypt(hashed, identityFile)
}

/** Writes the decrypted dump to a stream, for pg_restore by hand. */
export async function writeDump(
  store: ObjectStore,
  manifest: Manifest,
  identityFile: string,
  output: Writable,
): Promise<void> {
  for await (const chunk of await open(store, manifest, identityFile))
    if (!output.write(chunk)) await new Promise((resolve) => output.once('drain', resolve))
  output.end()
  await finished(output)
}

export type RestoreOptions = {
  /** The empty database; a direct connection as the role that will own everything. */
  url: string
  store: ObjectStore
  manifest: Manifest
  identityFile: string
  env: NodeJS.ProcessEnv
  say: (line: string) => void
}

export type Restored = {
  /** Recipients whose mail is held. */
  held: number
  /** Of these, recipients whose mail has no body and cannot be sent. */
  bodiless: number
}

/** Restores a backup into an empty database and leaves it with all mail held. */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { url, store, manifest, identityFile, env, say } = options
  const throughPsql = await requireTarget(options)
  say(`Restoring ${manifest.object} (${(manifest.bytes / 1e6).toFixed(1)} MB, of ${manifest.startedAt}) …`)
  await runRestore(url, await open(store, manifest, identityFile), env, throughPsql)
  let held = 0
  let bodiless = 0
  await migrate(url, async (sql) => {
    compare(manifest, await countRows((text) => sql.unsafe(text)))
    held = await holdRestored(
      sql,
      `restored from the backup of ${manifest.startedAt.replace(/:\d\d\.\d+Z$/, ' UTC')}`,
    )
    bodiless = await countBodiless(sql)
    await analyze(sql)
  })
  return { held, bodiless }
}

/** Throws where it cannot be restored. Whether it has to go through psql. */
async function requireTarget({ url, manifest, env }: RestoreOptions): Promise<boolean> {
  const known = readdirSync(fileURLToPath(new URL('../../migrations', import.meta.url))).filter((name) =>
    name.endsWith('.sql'),
  ).length
  if (manifest.migrations > known)
    throw new RestoreRefusedError(
      `the backup was made by a newer version of Postel, ${manifest.postelVersion}: restore it with that one`,
    )
  const tool = await findTool('pg_restore', env)
  const dumpMajor = Number.parseInt(manifest.pgDumpVersion, 10)
  if (tool.major < dumpMajor)
    throw new RestoreRefusedError(
      `pg_restore ${tool.version} cannot read a dump of pg_dump ${manifest.pgDumpVersion}: put pg_restore ${dumpMajor} or newer first on PATH`,
    )
  const sql = connect(url, { name: 'postel-restore', max: 1 })
  try {
    const target = await readTarget(sql)
    if (target.found.length > 0)
      throw new RestoreRefusedError(
        `the database is not empty (${target.found.join(', ')}): make a new one to restore into`,
      )
    if (target.processes.length > 0)
      throw new RestoreRefusedError(
        `${target.processes.join(', ')} is connected to the database: stop all processes of Postel first`,
      )
    if (target.serverMajor < Number.parseInt(manifest.postgresVersion, 10))
      throw new RestoreRefusedError(
        `the backup is of PostgreSQL ${manifest.postgresVersion}, the target is ${target.serverVersion}: an older one may not understand it`,
      )
    const throughPsql = needsPsql(tool, { major: target.serverMajor })
    if (throughPsql) await findTool('psql', env)
    return throughPsql
  } finally {
    await sql.end({ timeout: 5 })
  }
}

function compare(manifest: Manifest, rows: Record<string, number>): void {
  const other = Object.entries(manifest.rows).filter(([table, count]) => rows[table] !== count)
  if (other.length > 0)
    throw new Error(
      `the restored database is not what was backed up: ${other
        .map(([table, count]) => `${table} has ${rows[table]} rows instead of ${count}`)
        .join(', ')}`,
    )
}
