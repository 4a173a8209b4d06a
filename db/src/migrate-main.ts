/** `npm run db:migrate`: migrates the database at DATABASE_DIRECT_URL (or DATABASE_URL) and applies BOOTSTRAP_*. */
import { readEnv } from '@postel/runtime/env'
import { createSecretBox } from '@postel/runtime/secret-box'
import {
  bootstrapSettings,
  databaseSettings,
  deliveryModeSetting,
  secretSetting,
} from '@postel/runtime/settings'
import { z } from 'zod'
import { bootstrap } from './bootstrap.ts'
import { connect } from './client.ts'
import { migrate } from './migrate.ts'

const schema = z.object({
  ...databaseSettings,
  ...bootstrapSettings,
  ...deliveryModeSetting,
  POSTEL_SECRET: secretSetting.POSTEL_SECRET.optional(),
})

async function main(): Promise<void> {
  const config = readEnv(schema, process.env)
  const url = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
  await migrate(url)
  console.log('The database is at the schema of this version.')
  const asked =
    config.BOOTSTRAP_API_KEY || config.BOOTSTRAP_DOMAINS.length > 0 || config.BOOTSTRAP_RELAY_CIDR.length > 0
  if (!asked) return
  if (!config.POSTEL_SECRET) throw new Error('BOOTSTRAP_* needs POSTEL_SECRET, to encrypt the DKIM keys.')
  const sql = connect(url, { name: 'postel-bootstrap', max: 1 })
  try {
    const { apiKey } = await bootstrap(sql, {
      apiKey: config.BOOTSTRAP_API_KEY,
      relayCidrs: config.BOOTSTRAP_RELAY_CIDR,
      domains: config.BOOTSTRAP_DOMAINS,
      domainsVerified: config.BOOTSTRAP_DOMAINS_VERIFIED ?? config.DELIVERY_MODE === 'sandbox',
      dkim: ['rsa-sha256', 'ed25519-sha256'],
      secretBox: createSecretBox(config.POSTEL_SECRET),
      addresses: [],
    })
    if (apiKey && !config.BOOTSTRAP_API_KEY) console.log(`The first API key, shown only now: ${apiKey}`)
  } finally {
    await sql.end({ timeout: 5 })
  }
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
