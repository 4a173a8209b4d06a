/** The age format (age-encryption.org/v1), so that `age -d` opens what is encrypted here. */
import { Readable } from 'node:stream'
import { Decrypter, Encrypter } from 'age-encryption'

/** A key that cannot be used, or a file that it does not open. */
export class EncryptionError extends Error {
  override name = 'EncryptionError'
}

/** Encrypts for public keys (`age1…`). Throws an EncryptionError that names the key that is none. */
export async function encrypt(
  plain: Readable,
  recipients: readonly string[],
): Promise<AsyncIterable<Uint8Array>> {
  const encrypter = new Encrypter()
  for (const recipient of recipients)
    try {
      encrypter.addRecipient(recipient)
    } catch (cause) {
      throw new EncryptionError(`not a public key of age: ${recipient}`, { cause })
    }
  return encrypter.encrypt(Readable.toWeb(plain) as ReadableStream<Uint8Array>)
}

/** Decrypts with the private keys in an identity file of age (lines AGE-SECRET-KEY-…, and comments). */
export async function decrypt(
  encrypted: ReadableStream<Uint8Array>,
  identityFile: string,
): Promise<AsyncIterable<Uint8Array>> {
  const decrypter = new Decrypter()
  const keys = identityFile
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  if (keys.length === 0) throw new EncryptionError('there is no private key of age in the identity file')
  for (const key of keys)
    try {
      decrypter.addIdentity(key)
    } catch (cause) {
      // Not the key itself, which would be in a log then
      throw new EncryptionError('the identity file has a line that is no private key of age', { cause })
    }
  try {
    return await decrypter.decrypt(encrypted)
  } catch (cause) {
    throw new EncryptionError(
      `the file cannot be decrypted with this identity: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    )
  }
}
