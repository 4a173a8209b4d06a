/** An independent verifier of DKIM signatures (mailauth), with the keys of the database as what DNS publishes. */
import type { Sql } from '@postel/db/client'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'

export type Verified = { algorithm: string; selector: string; result: string }

/** Every signature of a message (latin1), in order of algorithm. Keys are found whether they are active or not. */
export async function verifyDkim(sql: Sql, raw: string): Promise<Verified[]> {
  const keys = await sql`
    select d.name, k.selector, k.algorithm, k.public_key from postel.dkim_keys k
    join postel.domains d on d.id = k.domain_id`
  const records = new Map(
    keys.map(({ name, selector, algorithm, public_key }) => [
      `${selector}._domainkey.${name}`,
      `v=DKIM1; k=${algorithm.split('-')[0]}; p=${public_key}`,
    ]),
  )
  const resolver = async (name: string, type: string) => {
    const record = type === 'TXT' ? records.get(name) : undefined
    if (!record) throw Object.assign(new Error(`no ${type} ${name}`), { code: 'ENOTFOUND' })
    return [[record]]
  }
  const { results } = await dkimVerify(Buffer.from(raw, 'latin1'), { resolver })
  return results
    .map(({ algo, selector, status }) => ({
      algorithm: String(algo),
      selector: String(selector),
      result: status.result,
    }))
    .sort((a, b) => (a.algorithm < b.algorithm ? -1 : 1))
}

/** `ed25519-sha256 pass`, in order of algorithm. */
export async function dkimResults(sql: Sql, raw: string): Promise<string[]> {
  return (await verifyDkim(sql, raw)).map(({ algorithm, result }) => `${algorithm} ${result}`)
}
