/** Encryption of secrets at rest under POSTEL_SECRET: AES-256-GCM, bound to what the secret belongs to. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const version = 1
const ivBytes = 12
const tagBytes = 16

export type SecretBox = {
  /** Encrypts; `owner` (e.g. a domain's name) must be given again to decrypt. */
  seal(plain: Buffer, owner: string): Buffer
  /** Decrypts; throws when the key or the owner is another, or the bytes were changed. */
  open(sealed: Buffer, owner: string): Buffer
}

/** A box for a key of 32 bytes in base64. */
export function createSecretBox(secretBase64: string): SecretBox {
  const key = Buffer.from(secretBase64, 'base64')
  if (key.length !== 32) throw new Error('POSTEL_SECRET must be 32 bytes in base64')
  return {
    seal(plain, owner) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(owner))
      const body = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), body])
    },
    open(sealed, owner) {
      if (sealed[0] !== version) throw new Error(`unknown format of an encrypted secret: ${sealed[0]}`)
      const iv = sealed.subarray(1, 1 + ivBytes)
      const tag = sealed.subarray(1 + ivBytes, 1 + ivBytes + tagBytes)
      const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(owner)).setAuthTag(tag)
      return Buffer.concat([decipher.update(sealed.subarray(1 + ivBytes + tagBytes)), decipher.final()])
    },
  }
}
