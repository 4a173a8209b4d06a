/** What stands in the database encrypted under POSTEL_SECRET: whether it can be opened, and how it comes under a new secret. */
import { sealedPassword, sealedText } from '@postel/runtime/sealed-smarthost'
import type { SecretBox } from '@postel/runtime/secret-box'
import type { Sql } from './client.ts'

type Sealed = { id: string; owner: string; sealed: Buffer }

const pageSize = 200
const firstUuid = '00000000-0000-0000-0000-000000000000'

/** Where they stand, and what each is bound to. */
const places = [
  {
    first: firstUuid,
    read: (sql: Sql, after: string) => sql<Sealed[]>`
      select k.id, d.name as owner, k.private_key as sealed
      from postel.dkim_keys k join postel.domains d on d.id = k.domain_id
      where k.id > ${after} order by k.id limit ${pageSize}`,
    write: (sql: Sql, { id, sealed }: Sealed, anew: Buffer) =>
      sql`update postel.dkim_keys set private_key = ${anew} where id = ${id} and private_key = ${sealed}`,
  },
  {
    first: firstUuid,
    read: (sql: Sql, after: string) => sql<Sealed[]>`
      select w.id, w.id::text as owner, w.secret as sealed
      from postel.webhooks w where w.id > ${after} order by w.id limit ${pageSize}`,
    write: (sql: Sql, { id, sealed }: Sealed, anew: Buffer) =>
      sql`update postel.webhooks set secret = ${anew} where id = ${id} and secret = ${sealed}`,
  },
  {
    first: firstUuid,
    read: (sql: Sql, after: string) => sql<Sealed[]>`
      select w.id, w.id::text as owner, w.previous_secret as sealed
      from postel.webhooks w where w.id > ${after} and w.previous_secret is not null order by w.id limit ${pageSize}`,
    write: (sql: Sql, { id, sealed }: Sealed, anew: Buffer) =>
      sql`update postel.webhooks set previous_secret = ${anew} where id = ${id} and previous_secret = ${sealed}`,
  },
  {
    first: '0',
    // All at once: they are few
    read: async (sql: Sql, after: string): Promise<Sealed[]> => {
      const rows = await sql<{ id: string; smarthost: string }[]>`
        select r.id::text as id, r.smarthost
        from postel.destination_rules r where r.id > ${after} and r.smarthost is not null order by r.id`
      return rows.flatMap(({ id, smarthost }) => {
        const found = sealedPassword(smarthost)
        return found ? [{ id, ...found }] : []
      })
    },
    write: (sql: Sql, { id, sealed }: Sealed, anew: Buffer) => sql`
      update postel.destination_rules set smarthost = replace(smarthost, ${sealedText(sealed)}, ${sealedText(anew)})
      where id = ${id} and strpos(smarthost, ${sealedText(sealed)}) > 0`,
  },
]

/**
 * Seals everything under the present secret that is under the previous one. May run while the apps do, and again at any
 * time. `lost`: can be opened by neither; left as it is.
 */
export async function resealSecrets(sql: Sql, box: SecretBox): Promise<{ resealed: number; lost: number }> {
  let resealed = 0
  let lost = 0
  for (const { first, read, write } of places)
    for (let after = first, rows = await read(sql, after); rows.length > 0; rows = await read(sql, after))
      for (const row of rows) {
        after = row.id
        if (box.isCurrent(row.sealed)) continue
        const plain = opened(box, row)
        if (!plain) {
          lost++
          continue
        }
        await write(sql, row, box.seal(plain, row.owner))
        resealed++
      }
  return { resealed, lost }
}

/**
 * Refuses a POSTEL_SECRET that opens nothing of what is there: whatever it sealed then, no other process could open. The
 * Error says what to do. With some that cannot be opened the apps start: only the mail of those domains and rules waits.
 */
export async function requireSecret(sql: Sql, box: SecretBox): Promise<void> {
  let found = 0
  for (const { first, read } of places)
    for (const row of await read(sql, first)) {
      found++
      // Under this very secret, though perhaps moved to where it opens nothing
      if (box.isCurrent(row.sealed) || opened(box, row)) return
    }
  if (found > 0)
    throw new Error(
      'POSTEL_SECRET opens none of the DKIM keys, webhook secrets and passwords of smarthosts in the database, which were encrypted under another. Set POSTEL_SECRET to that one, or POSTEL_SECRET_PREVIOUS while it is being replaced.',
    )
}

function opened(box: SecretBox, { sealed, owner }: Sealed): Buffer | undefined {
  try {
    return box.open(sealed, owner)
  } catch {
    return undefined
  }
}
