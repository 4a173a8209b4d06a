/** Which schema this version needs, and whether a database has it. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pause } from '@postel/runtime/backoff'
import type { Sql } from './client.ts'
import { sqlState } from './errors.ts'

/** In the order of their application. */
const folders = ['migrations', 'functions', 'functions/views']
const pollMs = 1_000
const undefinedTable = '42P01'

export const schemaMissing = "the database's schema is not the one this version needs: run npm run db:migrate"

let own: Promise<string> | undefined

/** The digest of this version's schema. The same in every process of a version, wherever its files lie. */
export function ownDigest(): Promise<string> {
  own ??= digestOf(fileURLToPath(new URL('..', import.meta.url)))
  return own
}

/** SHA-256, in hexadecimal, over names and text of the migrations, functions and views below `root`. */
export async function digestOf(root: string): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of folders) {
    const names = (await readdir(join(root, folder))).filter((name) => name.endsWith('.sql')).sort()
    for (const name of names)
      hash.update(`${folder}/${name}\0${await readFile(join(root, folder, name), 'utf8')}\0`)
  }
  return hash.digest('hex')
}

/**
 * Whether the database has had the schema of this version: a process that runs may go on, whichever version's migration
 * ran last, because versions that follow each other run side by side. One statement by primary key. Rejects when the
 * database does not answer.
 */
export async function hasSchema(sql: Sql): Promise<boolean> {
  const digest = await ownDigest()
  try {
    const [row] = await sql`select v.digest from postel.schema_versions v where v.digest = ${digest}`
    return row !== undefined
  } catch (error) {
    if (sqlState(error) === undefinedTable) return false
    throw error
  }
}

/** For /readyz: rejects, with what to do, where hasSchema gives false. */
export async function requireSchema(sql: Sql): Promise<void> {
  if (!(await hasSchema(sql))) throw new Error(schemaMissing)
}

export type AwaitSchemaOptions = {
  signal: AbortSignal
  /** It has to wait, or waits for another reason now: the schema, or a database that does not answer. */
  onWaiting: (reason: string) => void
}

/**
 * Resolves with true once the database has the schema of this version and no older version's functions, however long that
 * takes and whatever the database does meanwhile; with false as soon as the signal aborts. Asks once a second.
 */
export async function awaitSchema(sql: Sql, options: AwaitSchemaOptions): Promise<boolean> {
  const { signal, onWaiting } = options
  const digest = await ownDigest()
  for (let told: string | undefined; !signal.aborted; ) {
    const reason = await whyNot(sql, digest)
    if (signal.aborted) break
    if (reason === undefined) return true
    if (reason !== told) onWaiting(reason)
    told = reason
    await pause(pollMs, signal)
  }
  return false
}

async function whyNot(sql: Sql, digest: string): Promise<string | undefined> {
  try {
    // A question that is no error in the server's log
    const [table] = await sql<{ exists: boolean }[]>`
      select to_regclass('postel.schema_versions') is not null as exists`
    if (!table!.exists) return schemaMissing
    const [row] = await sql`
      select v.digest from postel.schema_versions v where v.digest = ${digest} and v.replaced_at is null`
    return row ? undefined : schemaMissing
  } catch (error) {
    return `the database cannot be used: ${message(error)}`
  }
}

/** Of several addresses that could not be reached, Node tells only in `errors`. */
function message(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}
