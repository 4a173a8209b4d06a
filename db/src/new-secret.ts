/** API keys and SMTP passwords: long random texts behind a prefix that tells people and scanners what they are. */
import { randomInt } from 'node:crypto'
import { hashSecret } from './queries/credentials.ts'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 190 bits. */
const randomCharacters = 32
/** What people may see of it later: the kind, and 24 bits. */
const prefixCharacters = 12

export type SecretKind = 'pk_live_' | 'pk_test_' | 'sp_live_' | 'sp_test_'

/** Only `secret` opens anything, and only `prefix` and `hash` are stored. */
export type NewSecret = { secret: string; prefix: string; hash: Buffer }

export function newSecret(kind: SecretKind): NewSecret {
  const random = Array.from({ length: randomCharacters }, () => alphabet[randomInt(alphabet.length)]).join('')
  return withPrefix(kind + random)
}

/** A secret that was chosen elsewhere. */
export function withPrefix(secret: string): NewSecret {
  return { secret, prefix: secret.slice(0, prefixCharacters), hash: hashSecret(secret) }
}
