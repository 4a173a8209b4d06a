/** DKIM keys as they are stored: made by us, or given to us, and sealed for their domain. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { newDkimKey } from '@postel/db/bootstrap'
import type { SealedKey } from '@postel/db/queries/domains'
import type { SecretBox } from '@postel/runtime/secret-box'
import { fieldProblem } from '../problem.ts'

const rsaBitsMin = 1024
/** RFC 6376 §3.3.3: what verifiers can be asked to read at most. */
const rsaBitsMax = 4096

/** A pair of each algorithm. */
export async function newKeys(name: string, secretBox: SecretBox): Promise<SealedKey[]> {
  const made = await Promise.all(
    (['rsa-sha256', 'ed25519-sha256'] as const).map(async (algorithm) => ({
      algorithm,
      ...(await newDkimKey(algorithm)),
    })),
  )
  return made.map(({ algorithm, selector, privateKey, publicKey }) => ({
    selector,
    algorithm,
    publicKey,
    privateKey: secretBox.seal(Buffer.from(privateKey), name),
    imported: false,
  }))
}

/** Throws a Problem that says what is wrong with the key, and never shows anything of it. */
export function importedKey(selector: string, pem: string, name: string, secretBox: SecretBox): SealedKey {
  const key = read(pem)
  const algorithm = algorithmOf(key)
  const publicKey = createPublicKey(key)
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return {
    selector,
    algorithm,
    publicKey: (algorithm === 'rsa-sha256' ? spki : spki.subarray(-32)).toString('base64'),
    privateKey: secretBox.seal(Buffer.from(key.export({ type: 'pkcs8', format: 'pem' })), name),
    imported: true,
  }
}

function read(pem: string): KeyObject {
  try {
    const key = createPrivateKey({ key: pem, format: 'pem' })
    // Parts of a key that do not belong together are found out by using them
    const hash = key.asymmetricKeyType === 'rsa' ? 'sha256' : null
    const data = Buffer.from('postel')
    if (key.asymmetricKeyType === 'rsa' || key.asymmetricKeyType === 'ed25519')
      if (!verify(hash, data, createPublicKey(key), sign(hash, data, key)))
        throw new Error('it does not sign')
    return key
  } catch {
    throw refused('It must be a private key in PEM without a pass phrase (-----BEGIN PRIVATE KEY-----).')
  }
}

function algorithmOf(key: KeyObject): SealedKey['algorithm'] {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519-sha256'
  if (key.asymmetricKeyType !== 'rsa') throw refused('It must be an RSA or an Ed25519 key.')
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < rsaBitsMin || bits > rsaBitsMax)
    throw refused(`An RSA key must have ${rsaBitsMin} to ${rsaBitsMax} bits; this one has ${bits}.`)
  return 'rsa-sha256'
}

const refused = (problem: string) => fieldProblem({ field: 'private_key', problem })
