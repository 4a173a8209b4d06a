/** better-auth's secrets, made of POSTEL_SECRET, and what becomes of what they encrypt when that is replaced. */
import { hkdfSync } from 'node:crypto'
import type { Sql } from '@postel/db/client'
import { listTwoFactors, replaceTwoFactor } from '@postel/db/queries/people'

const pageSize = 200
const firstId = '00000000-0000-0000-0000-000000000000'

export type AuthSecret = { version: number; value: string }

/** In the form that better-auth takes; `secrets` in base64, the one in use first. */
export function authSecrets(secrets: readonly string[]): AuthSecret[] {
  return secrets.map((secret) => ({ version: versionOf(secret), value: derived(secret) }))
}

/** Not POSTEL_SECRET itself, so that what is signed here says nothing about what is encrypted elsewhere (RFC 5869). */
function derived(secret: string): string {
  return Buffer.from(hkdfSync('sha256', Buffer.from(secret, 'base64'), '', 'postel people', 32)).toString(
    'base64',
  )
}

/** The number under which better-auth finds the secret that a text was encrypted with: the same at each start. */
function versionOf(secret: string): number {
  const bytes = hkdfSync('sha256', Buffer.from(secret, 'base64'), '', 'postel people version', 4)
  return new DataView(bytes).getUint32(0)
}

/**
 * Encrypts the secrets of one-time codes and the backup codes that are under an earlier secret under the present one, so
 * that the earlier one can be given up. May run in several processes at once. Returns how many it wrote anew.
 */
export async function resealTwoFactors(sql: Sql, secrets: readonly string[]): Promise<number> {
  const { symmetricDecrypt, symmetricEncrypt } = await import('better-auth/crypto')
  const known = authSecrets(secrets)
  const key = {
    keys: new Map(known.map(({ version, value }) => [version, value])),
    currentVersion: known[0]!.version,
  }
  const isCurrent = (text: string) => text.startsWith(`$ba$${key.currentVersion}$`)
  const anew = async (text: string) =>
    symmetricEncrypt({ key, data: await symmetricDecrypt({ key, data: text }) })
  let resealed = 0
  for (
    let rows = await listTwoFactors(sql, firstId, pageSize);
    rows.length > 0;
    rows = await listTwoFactors(sql, rows.at(-1)!.id, pageSize)
  )
    for (const row of rows) {
      if (isCurrent(row.secret) && isCurrent(row.backupCodes)) continue
      const { id } = row
      const opened = await Promise.all([anew(row.secret), anew(row.backupCodes)]).catch(() => undefined)
      // Under a secret that was given up before: lost, and no reason to leave the others
      if (!opened) continue
      await replaceTwoFactor(sql, row, { id, secret: opened[0], backupCodes: opened[1] })
      resealed++
    }
  return resealed
}
