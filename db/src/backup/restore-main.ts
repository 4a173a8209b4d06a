/** `npm run restore`: lists backups, restores one into an empty database with all mail held, or writes the dump to a file. */
import { createWriteStream, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

import { readEnv } from '@postel/runtime/env'
import { createSecretBox } from '@postel/runtime/secret-box'
import { backupStoreSettings, databaseSettings, secretSetting } from '@postel/runtime/settings'
import { z } from 'zod'
import { connect } from '../client.ts'
import { requireSecret } from '../sealed-secrets.ts'
import { chooseBackup, listBackups, restore, writeDump } from './restore.ts'
import { storeOf } from './store-of.ts'

const usage = `npm run restore -- --list
npm run restore -- --object NAME|latest --identity FILE [--into URL]
npm run restore -- --object NAME|latest --identity FILE --output DUMP

  --list      the backups that are there, the newest first
  --object    which one
  --identity  the file with the private key of age
  --into      the empty database; unset: DATABASE_DIRECT_URL, or DATABASE_URL
  --output    writes the decrypted dump there instead, for pg_restore by hand

BACKUP_S3_* name the storage. See db/backup.md.`

const schema = z.object({
  ...backupStoreSettings,
  DATABASE_URL: databaseSettings.DATABASE_URL.optional(),
  DATABASE_DIRECT_URL: databaseSettings.DATABASE_DIRECT_URL,
  POSTEL_SECRET: secretSetting.POSTEL_SECRET.optional(),
  POSTEL_SECRET_PREVIOUS: secretSetting.POSTEL_SECRET_PREVIOUS,
})

function readArguments() {
  const text = { type: 'string' } as const
  const flags = { type: 'boolean' } as const
  try {
    return parseArgs({
      options: { list: flags, help: flags, object: text, into: text, identity: text, output: text },
    }).values
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n\n${usage}`, { cause: error })
  }
}

async function main(): Promise<void> {
  const flags = readArguments()
  if (flags.help || !(flags.list || flags.object)) return console.log(usage)
  const config = readEnv(schema, process.env)
  const store = storeOf(config)
  const prefix = config.BACKUP_S3_PREFIX
  if (flags.list) {
    const found = await listBackups(store, prefix)
    for (const { object, bytes, bodies, rows, postelVersion } of found)
      console.log(
        `${object}  ${(bytes / 1e6).toFixed(1)} MB  ${bodies ? 'with' : 'without'} bodies  ${rows.messages} messages  Postel ${postelVersion}`,
      )
    if (found.length === 0) console.log(`There is no backup below ${store.describe(prefix)}.`)
    return
  }
  if (!flags.identity) throw new Error(`--identity is missing\n\n${usage}`)
  const identityFile = readFileSync(flags.identity, 'utf8')
  const manifest = await chooseBackup(store, prefix, flags.object!)
  if (flags.output) {
    await writeDump(
      store,
      manifest,
      identityFile,
      createWriteStream(flags.output, { flags: 'wx', mode: 0o600 }),
    )
    console.log(`${flags.output} is the dump; pg_restore reads it.`)
    return
  }
  const url = flags.into ?? config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
  if (!url) throw new Error('--into, DATABASE_DIRECT_URL or DATABASE_URL must name the database')
  const say = (line: string) => console.log(line)
  const { held, bodiless } = await restore({ url, store, manifest, identityFile, env: process.env, say })
  say(
    `Restored, and the mail of ${held} recipients is held. Everything accepted or sent after ${manifest.startedAt} is unknown here.`,
  )
  if (bodiless > 0)
    say(`Of these, ${bodiless} have no body, because the backup was made without: cancel or bounce them.`)
  await checkSecret(url, config)
  say(
    'Start Postel: new mail leaves. What is held waits for: select postel.release_all(), or cancel, or bounce.',
  )
}

/** The keys in the database are of no use without the secret that sealed them. */
async function checkSecret(url: string, config: z.infer<typeof schema>): Promise<void> {
  if (!config.POSTEL_SECRET)
    return console.log(
      'POSTEL_SECRET is not set here: processes need the one that the backup was made under.',
    )
  const sql = connect(url, { name: 'postel-restore', max: 1 })
  try {
    await requireSecret(sql, createSecretBox(config.POSTEL_SECRET, config.POSTEL_SECRET_PREVIOUS))
  } catch (error) {
    console.error(`All is restored and held, but: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  } finally {
    await sql.end({ timeout: 5 })
  }
}

main().then(
  () => process.exit(),
  (error) => {
    // Of a statement that failed, the message is the statement; the cause says why
    const because = error?.name === 'DrizzleQueryError' ? ` ${error.cause?.message}` : ''
    console.error(`Not restored: ${error instanceof Error ? error.message : error}${because}`)
    process.exit(1)
  },
)
