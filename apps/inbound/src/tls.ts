/** The certificate from files, which may be replaced at any time. */
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'

export type Certificate = { key: string | Buffer; cert: string | Buffer }

const watchEveryMs = 2_000

/** Reads and checks a key pair. Throws when a file is missing or they do not belong together. */
export function readCertificate(certFile: string, keyFile: string): Certificate {
  const certificate = { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  createSecureContext(certificate)
  return certificate
}

/**
 * Calls back when either file changes from what it is now (polled, so that it works on Kubernetes' symlinked Secrets):
 * what is read after this call is never older than what is watched. Returns the end.
 */
export function watchCertificate(certFile: string, keyFile: string, onChange: () => void): () => void {
  const look = () =>
    [certFile, keyFile].map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs).join()
  let seen = look()
  const timer = setInterval(() => {
    const now = look()
    if (now === seen) return
    seen = now
    onChange()
  }, watchEveryMs)
  timer.unref()
  return () => clearInterval(timer)
}
