/** Encryption of secrets at rest under POSTEL_SECRET: AES-256-GCM, bound to what the secret belongs to. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

/** What stands first in what is sealed. Version 1 had no key id behind it. */
const version = 2
const keyIdBytes = 4
const ivBytes = 12
const tagBytes = 16

export type SecretBox = {
  /** Encrypts; `owner` (e.g. a domain's name) must be given again to decrypt. */
  seal(plain: Buffer, owner: string): Buffer
  /** Decrypts; throws when the key or the owner is another, or the bytes were changed. */
  open(sealed: Buffer, owner: string): Buffer
  /** Whether it was sealed under the present key: what was not is opened by the previous one, and should be sealed anew. */
  isCurrent(sealed: Buffer): boolean
}

type Key = { id: Buffer; bytes: Buffer }

/** A box for a key of 32 bytes in base64. `previous` opens what it sealed, and seals nothing any more. */
export function createSecretBox(secretBase64: string, previous?: string): SecretBox {
  const current = toKey(secretBase64, 'POSTEL_SECRET')
  const keys = previous === undefined ? [current] : [current, toKey(previous, 'POSTEL_SECRET_PREVIOUS')]
  return {
    seal(plain, owner) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', current.bytes, iv).setAAD(Buffer.from(owner))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.of(version), current.id, iv, cipher.getAuthTag(), body])
    },
    open(sealed, owner) {
      if (sealed[0] === 1) return openWithAny(keys, sealed.subarray(1), owner)
      if (sealed[0] !== version) throw new Error(`unknown format of an encrypted secret: ${sealed[0]}`)
      const id = sealed.subarray(1, 1 + keyIdBytes)
      const key = keys.find((each) => each.id.equals(id))
      if (!key) throw new Error('encrypted under another POSTEL_SECRET')
      return openWith(key, sealed.subarray(1 + keyIdBytes), owner)
    },
    isCurrent(sealed) {
      return sealed[0] === version && sealed.subarray(1, 1 + keyIdBytes).equals(current.id)
    },
  }
}

function toKey(secretBase64: string, name: string): Key {
  const bytes = Buffer.from(secretBase64, 'base64')
  if (bytes.length !== 32) throw new Error(`${name} must be 32 bytes in base64`)
  const id = createHash('sha256').update('postel key id').update(bytes).digest().subarray(0, keyIdBytes)
  return { id, bytes }
}

function openWith({ bytes }: Key, sealed: Buffer, owner: string): Buffer {
  const iv = sealed.subarray(0, ivBytes)
  const tag = sealed.subarray(ivBytes, ivBytes + tagBytes)
  const decipher = createDecipheriv('aes-256-gcm', bytes, iv, { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(owner)).setAuthTag(tag)
  return Buffer.concat([decipher.update(sealed.subarray(ivBytes + tagBytes)), decipher.final()])
}

function openWithAny(keys: readonly Key[], sealed: Buffer, owner: string): Buffer {
  for (const key of keys.slice(0, -1)) {
    try {
      return openWith(key, sealed, owner)
    } catch {
      // The next may be the one that sealed it
    }
  }
  return openWith(keys[keys.length - 1]!, sealed, owner)
}
