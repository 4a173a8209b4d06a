/** The certificate from files, which may be replaced at any time. */
import { readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { pause } from '@postel/runtime/backoff'

export type Certificate = { key: string | Buffer; cert: string | Buffer }

const watchEveryMs = 2_000

/** Reads and checks a key pair. Throws when a file is missing or they do not belong together. */
export function readCertificate(certFile: string, keyFile: string): Certificate {
  const certificate = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  createSecureContext(certificate)
  return certificate
}

/**
 * Calls back when either file changes (polled, so that it works on Kubernetes' symlinked Secrets), until the signal aborts.
 * Resolves once it watches: what is read from then on is never older than what is watched.
 */
export async function watchCertificate(
  certFile: string,
  keyFile: string,
  signal: AbortSignal,
  onChange: () => void,
): Promise<void> {
  const look = async () => (await Promise.all([certFile, keyFile].map(changedAt))).join()
  let seen = await look()
  const watch = async () => {
    for (;;) {
      await pause(watchEveryMs, signal)
      const now = await look()
      if (signal.aborted) return
      if (now === seen) continue
      seen = now
      onChange()
    }
  }
  void watch()
}

/** A file that cannot be looked at has changed: who reads it says why. */
async function changedAt(file: string): Promise<number> {
  return stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  )
}
