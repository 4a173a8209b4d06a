/** The certificate from files, which may be replaced at any time. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { createSecureContext } from 'node:tls'

export type Certificate = { key: string | Buffer; cert: string | Buffer }

const watchEveryMs = 2_000

/** Reads and checks a key pair. Throws when a file is missing or they do not belong together. */
export function readCertificate(certFile: string, keyFile: string): Certificate {
  const certificate = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  createSecureContext(certificate)
  return certificate
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
