/** Brings a database to what the apps need: schema, first project, key, domains and source IPs. */
import { bootstrap } from '@postel/db/bootstrap'
import { connect } from '@postel/db/client'
import { migrate } from '@postel/db/migrate'
import { Credentials, type Principal } from '@postel/db/queries/credentials'
import { resealSecrets } from '@postel/db/sealed-secrets'
import { withDeadline } from '@postel/runtime/health'
import { createSecretBox } from '@postel/runtime/secret-box'
import type { StandaloneConfig } from './config.ts'
import type { Secrets } from './secrets.ts'

/**
 * Migrates the database at `url` and adds what is missing; may run at every start. Returns whom the API key stands for;
 * undefined when it has been revoked.
 */
export async function prepareDatabase(
  url: string,
  config: StandaloneConfig,
  secrets: Secrets,
  addresses: readonly string[],
): Promise<Principal | undefined> {
  await migrate(url).catch((error) => {
    const { host, pathname } = new URL(url)
    throw new Error(
      `The database ${pathname.slice(1)} at ${host} cannot be prepared: ${error.message || error.code}`,
      {
        cause: error,
      },
    )
  })
  const sql = connect(url, { name: 'postel-standalone', max: 1 })
  try {
    const secretBox = createSecretBox(secrets.secret, config.POSTEL_SECRET_PREVIOUS)
    await resealSecrets(sql, secretBox)
    await bootstrap(sql, {
      apiKey: secrets.apiKey,
      relayCidrs: config.BOOTSTRAP_RELAY_CIDR,
      domains: config.BOOTSTRAP_DOMAINS,
      domainsVerified: config.BOOTSTRAP_DOMAINS_VERIFIED ?? config.DELIVERY_MODE === 'sandbox',
      dkim: ['rsa-sha256', 'ed25519-sha256'],
      secretBox,
      addresses: addresses.map((address) => ({ address, ehloName: null })),
    })
    return (await new Credentials(sql).bySecret(secrets.apiKey))?.sender ?? undefined
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/**
 * Ends the holds that dead outbound processes of this node have left, so that their IPs need not wait to expire. The caller
 * knows that none is alive. Rejects within seconds when the database does not answer.
 */
export async function expireHolders(url: string, nodeName: string): Promise<void> {
  const sql = connect(url, { name: 'postel-standalone', max: 1 })
  try {
    await withDeadline(sql`select postel.expire_holders(${nodeName})`, 5_000)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
