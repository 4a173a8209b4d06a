/** `npm run backup`: takes a backup of the database at DATABASE_DIRECT_URL (or DATABASE_URL). Exit code 0: it is good; 1: it failed; 3: another one runs. */
import { readFileSync } from 'node:fs'
import { readEnv } from '@postel/runtime/env'
import { backupSettings, backupStoreSettings, databaseSettings } from '@postel/runtime/settings'
import { z } from 'zod'
import { storeOf } from './store-of.ts'
import { BackupRunningError, takeBackup } from './take-backup.ts'

const schema = z.object({ ...databaseSettings, ...backupStoreSettings, ...backupSettings })

async function main(): Promise<void> {
  const config = readEnv(schema, process.env)
  const stopped = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => stopped.abort(new Error(`stopped by ${signal}`)))
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  await takeBackup({
    url: config.DATABASE_DIRECT_URL ?? config.DATABASE_URL,
    store: storeOf(config, stopped.signal),
    prefix: config.BACKUP_S3_PREFIX,
    recipients: config.BACKUP_AGE_RECIPIENTS,
    bodies: config.BACKUP_BODIES,
    readBack: config.BACKUP_READ_BACK,
    keeping: { days: config.BACKUP_KEEP_DAYS, months: config.BACKUP_KEEP_MONTHS },
    postelVersion: version,
    env: process.env,
    say: (line) => console.log(line),
    signal: stopped.signal,
  })
}

main().then(
  // What a broken connection has left behind must not keep the process
  () => process.exit(0),
  (error) => {
    console.error(`No backup: ${error instanceof Error ? error.message : error}`)
    process.exit(error instanceof BackupRunningError ? 3 : 1)
  },
)
