/** The secrets that a data directory keeps from start to start: POSTEL_SECRET and the first API key. */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { newApiKey } from '@postel/db/bootstrap'
import { bootstrapSettings, secretSetting } from '@postel/runtime/settings'
import type { StandaloneConfig } from './config.ts'

export type Secrets = { secret: string; apiKey: string; apiKeyFile: string | undefined }

/**
 * The environment's secrets, else those in `<dataDir>/secret` and `<dataDir>/api-key` (0600), which are made when missing.
 * Throws an Error that names the file when one cannot be used.
 */
export function keepSecrets(config: StandaloneConfig): Secrets {
  const secretFile = join(config.POSTEL_DATA_DIR, 'secret')
  const apiKeyFile = join(config.POSTEL_DATA_DIR, 'api-key')
  const secret = config.POSTEL_SECRET ?? keep(secretFile, () => randomBytes(32).toString('base64'))
  const apiKey = config.BOOTSTRAP_API_KEY ?? keep(apiKeyFile, newApiKey)
  if (!secretSetting.POSTEL_SECRET.safeParse(secret).success)
    throw new Error(
      `${secretFile} does not hold 32 bytes in base64. Without it the DKIM keys made with it are lost.`,
    )
  if (!bootstrapSettings.BOOTSTRAP_API_KEY.safeParse(apiKey).success)
    throw new Error(`${apiKeyFile} does not hold an API key. Remove it to have a new one made.`)
  return { secret, apiKey, apiKeyFile: config.BOOTSTRAP_API_KEY ? undefined : apiKeyFile }
}

/** What the file holds; if there is none, a new text, which is on the disk when this returns. */
function keep(path: string, make: () => string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new Error(`Cannot read ${path}: ${(error as Error).message}`)
  }
  const text = make()
  const draft = `${path}.new`
  rmSync(draft, { force: true })
  const file = openSync(draft, 'wx', 0o600)
  writeSync(file, `${text}\n`)
  fsyncSync(file)
  closeSync(file)
  linkSync(draft, path)
  rmSync(draft)
  return text
}
