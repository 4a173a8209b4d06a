/** The first organization, project, pool, key, domains and source IPs: what a fresh database needs before it can send. */
import { generateKeyPair, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { SecretBox } from '@postel/runtime/secret-box'
import type { Sql } from './client.ts'
import { newSecret, withPrefix } from './new-secret.ts'

export type BootstrapOptions = {
  /** The first project's key; without one, and without any key in the database, a random one is made. */
  apiKey?: string | undefined
  /** Networks whose clients may submit without AUTH. */
  relayCidrs: readonly string[]
  /** Domains that the first project may send from. */
  domains: readonly string[]
  /** Take the domains as verified instead of waiting for DNS. */
  domainsVerified: boolean
  /** Key pairs made for each domain that has none. */
  dkim: readonly DkimAlgorithm[]
  /** Encrypts the private keys; needed when `dkim` is not empty. */
  secretBox?: SecretBox | undefined
  /** Source IPs added to the default pool. */
  addresses: readonly { address: string; ehloName: string | null }[]
}

export type DkimAlgorithm = 'rsa-sha256' | 'ed25519-sha256'

const generate = promisify(generateKeyPair)

/** A new API key. */
export function newApiKey(): string {
  return newSecret('pk_live_').secret
}

/**
 * Adds what is missing and changes nothing that is there, so it may run at every start. Returns the API key when it
 * was given or has just been made; a key made earlier is known only by its hash.
 */
export async function bootstrap(
  sql: Sql,
  options: BootstrapOptions,
): Promise<{ apiKey: string | undefined }> {
  return sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('postel.bootstrap'))`
    await tx`
      insert into postel.ip_pools (name, is_default)
      select 'default', true where not exists (select from postel.ip_pools where is_default)`
    await tx`
      insert into postel.organizations (name)
      select 'default' where not exists (select from postel.organizations)`
    await tx`
      insert into postel.projects (organization_id, name, pool_id)
      select o.id, 'default', l.id
      from (select id from postel.organizations order by created_at, id limit 1) as o
      cross join (select id from postel.ip_pools where is_default) as l
      where not exists (select from postel.projects)`
    const [project] = await tx<{ id: string; organizationId: string; poolId: number }[]>`
      select id, organization_id as "organizationId", pool_id as "poolId"
      from postel.projects order by created_at, id limit 1`
    const { id: projectId, organizationId, poolId } = project!

    const [anyKey] = await tx`select from postel.api_keys limit 1`
    const apiKey = options.apiKey ?? (anyKey ? undefined : newApiKey())
    if (apiKey) {
      const { prefix, hash } = withPrefix(apiKey)
      await tx`
        insert into postel.api_keys (organization_id, project_id, name, prefix, hash)
        values (${organizationId}, ${projectId}, 'bootstrap', ${prefix}, ${hash})
        on conflict on constraint api_keys_hash_unique do nothing`
    }

    for (const cidr of options.relayCidrs)
      await tx`
        insert into postel.smtp_credentials (organization_id, project_id, name, network)
        select ${organizationId}, ${projectId}, 'bootstrap', ${cidr}::cidr
        where not exists (
          select from postel.smtp_credentials where network = ${cidr}::cidr
        )`

    for (const { address, ehloName } of options.addresses)
      await tx`
        insert into postel.ip_addresses (pool_id, address, ehlo_name)
        values (${poolId}, ${address}::inet, ${ehloName})
        on conflict on constraint ip_addresses_address_unique do nothing`

    for (const name of options.domains) {
      await tx`
        insert into postel.domains (organization_id, name, status, verified_at, verification_token, next_check_at)
        values (
          ${organizationId}, ${name.toLowerCase()},
          ${options.domainsVerified ? 'verified' : 'pending'}, ${options.domainsVerified ? new Date() : null},
          ${options.domainsVerified ? null : randomBytes(16).toString('hex')},
          ${options.domainsVerified ? null : new Date()}
        )
        on conflict on constraint domains_name_per_organization do nothing`
      const [domain] = await tx<{ id: string; keyed: boolean }[]>`
        select d.id, exists (select from postel.dkim_keys k where k.domain_id = d.id) as keyed
        from postel.domains d
        where d.organization_id = ${organizationId} and d.name = ${name.toLowerCase()}`
      if (domain!.keyed) continue
      for (const algorithm of options.dkim) {
        const { selector, privateKey, publicKey } = await newDkimKey(algorithm)
        const sealed = options.secretBox!.seal(Buffer.from(privateKey), name.toLowerCase())
        await tx`
          insert into postel.dkim_keys (domain_id, selector, algorithm, private_key, public_key, active)
          values (
            ${domain!.id}, ${selector}, ${algorithm}, ${sealed}, ${publicKey}, ${options.domainsVerified}
          )`
      }
    }
    return { apiKey }
  }) as Promise<{ apiKey: string | undefined }>
}

/** A DKIM key pair: PKCS#8 PEM, and the base64 for the p= tag of the DNS record (RFC 6376, RFC 8463). */
export async function newDkimKey(
  algorithm: DkimAlgorithm,
): Promise<{ selector: string; privateKey: string; publicKey: string }> {
  const suffix = randomBytes(4).toString('hex')
  const privateKeyEncoding = { type: 'pkcs8', format: 'pem' } as const
  if (algorithm === 'rsa-sha256') {
    const pair = await generate('rsa', {
      modulusLength: 2048,
      privateKeyEncoding,
      publicKeyEncoding: { type: 'spki', format: 'der' },
    })
    return {
      selector: `r${suffix}`,
      privateKey: pair.privateKey,
      publicKey: pair.publicKey.toString('base64'),
    }
  }
  const pair = await generate('ed25519', {
    privateKeyEncoding,
    publicKeyEncoding: { type: 'spki', format: 'der' },
  })
  // RFC 8463 publishes the bare 32 bytes, which end the SubjectPublicKeyInfo
  return {
    selector: `e${suffix}`,
    privateKey: pair.privateKey,
    publicKey: pair.publicKey.subarray(-32).toString('base64'),
  }
}
