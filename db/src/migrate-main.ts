/**
 * `npm run db:migrate`: migrates the database at DATABASE_DIRECT_URL (or DATABASE_URL), seals secrets anew while POSTEL_SECRET is
 * being replaced, and applies BOOTSTRAP_*.
 */
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
import { resealSecrets } from './sealed-secrets.ts'

const schema = z.object({
  ...databaseSettings,
  ...bootstrapSettings,
  ...deliveryModeSetting,
  ...secretSetting,
  POSTEL_SECRET: secretSetting.POSTEL_SECRET.optional(),
})

async function main(): Promise<void> {
  const config = readEnv(schema, process.env)
  const url = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
  await migrate(url)
  console.log('The database is at the schema of this version.')
  const { POSTEL_SECRET: secret, POSTEL_SECRET_PREVIOUS: previous } = config
  const asked =
    config.BOOTSTRAP_API_KEY || config.BOOTSTRAP_DOMAINS.length > 0 || config.BOOTSTRAP_RELAY_CIDR.length > 0
  if (!asked && previous === undefined) return
  if (!secret)
    throw new Error('BOOTSTRAP_* and POSTEL_SECRET_PREVIOUS need POSTEL_SECRET, to encrypt the DKIM keys.')
  const sql = connect(url, { name: 'postel-bootstrap', max: 1 })
  try {
    const secretBox = createSecretBox(secret, previous)
    if (previous !== undefined) {
      const { resealed, lost } = await resealSecrets(sql, secretBox)
      console.log(`${resealed} secrets are under the new POSTEL_SECRET now.`)
      if (lost > 0) console.log(`${lost} can be opened by neither POSTEL_SECRET and were left as they are.`)
    }
    if (!asked) return
    const { apiKey } = await bootstrap(sql, {
      apiKey: config.BOOTSTRAP_API_KEY,
      relayCidrs: config.BOOTSTRAP_RELAY_CIDR,
      domains: config.BOOTSTRAP_DOMAINS,
      domainsVerified: config.BOOTSTRAP_DOMAINS_VERIFIED ?? config.DELIVERY_MODE === 'sandbox',
      dkim: ['rsa-sha256', 'ed25519-sha256'],
      secretBox,
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
