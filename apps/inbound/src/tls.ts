/** The certificate: from files that may be replaced at any time, or self-signed for a start without one. */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, unwatchFile, watchFile } from 'node:fs'

import { createSecureContext } from 'node:tls'
import { generate } from 'selfsigned'

export type Certificate = { key: string | Buffer; cert: string | Buffer }

const watchEveryMs = 2_000

/** Reads and checks a key pair. Throws when a file is missing or they do not belong together. */
export function readCertificate(certFile: string, keyFile: string): Certificate {
  const certificate = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  createSecureContext(certificate)
  return certificate
}

/** A certificate that nobody vouches for: it encrypts, and clients that verify will refuse it. Valid for a year. */
export function selfSignedCertificate(hostname: string): Certificate {
  // OpenSSL makes the key: selfsigned's own generator takes seconds
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const options = {
    keyPair: { privateKey, publicKey },
    algorithm: 'sha256',
    days: 365,
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: hostname }] }],
  }
  const pair = generate([{ name: 'commonName', value: hostname }], options)
  return { key: pair.private, cert: pair.cert }
}

/** Calls back when either file changes (polled, so that it works on Kubernetes' symlinked Secrets). Returns the end. */
export function watchCertificate(certFile: string, keyFile: string, onChange: () => void): () => void {
  const changed = (now: { mtimeMs: number }, before: { mtimeMs: number }) => {
    if (now.mtimeMs !== before.mtimeMs) onChange()
  }
  for (const file of [certFile, keyFile])
    watchFile(file, { interval: watchEveryMs, persistent: false }, changed)
  return () => {
    for (const file of [certFile, keyFile]) unwatchFile(file, changed)
  }
}
