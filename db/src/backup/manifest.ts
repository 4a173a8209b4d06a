/** What stands beside each backup, in plain text: enough to choose one and to check it, nothing of its content. */
import { z } from 'zod'

const schema = z.object({
  format: z.literal(1),
  /** The object that it is about. */
  object: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** Of the object as it is stored. */
  bytes: z.number(),
  sha256: z.string(),
  bodies: z.boolean(),
  postelVersion: z.string(),
  /** See ownDigest() of schema-version.ts; what the database had. */
  schemaDigest: z.string().nullable(),
  /** Migrations that the database has had. */
  migrations: z.number(),
  postgresVersion: z.string(),
  pgDumpVersion: z.string(),
  recipients: z.array(z.string()),
  /** Rows by table, in the dump's own snapshot. */
  rows: z.record(z.string(), z.number()),
})

export type Manifest = z.infer<typeof schema>

/** What the name of a backup's object ends with, and what that of its manifest adds. */
export const objectSuffix = '.dump.age'
export const manifestSuffix = '.json'

/** `<prefix>postel-20261122T023000Z-v1.2.3.dump.age`, with the time of the start. */
export function objectName(prefix: string, startedAt: Date, version: string): string {
  const time = startedAt.toISOString().replace(/[-:]|\.\d+/g, '')
  return `${prefix}postel-${time}-v${version.replace(/[^\w.-]/g, '-')}${objectSuffix}`
}

/** When the backup of this name was started; undefined where the name is not one of objectName. */
export function startOf(prefix: string, name: string): Date | undefined {
  if (!name.startsWith(prefix)) return undefined
  const match = /^postel-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-v[\w.-]+\.dump\.age(?:\.json)?$/.exec(
    name.slice(prefix.length),
  )
  if (!match) return undefined
  const [, year, month, day, hour, minute, second] = match
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** Throws an Error that says what is wrong. */
export function parseManifest(name: string, text: string): Manifest {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error(`${name} is not a manifest that this version of Postel can read`, { cause })
  }
}
