/** worker's configuration. */
import { readEnv, wholeNumber } from '@postel/runtime/env'
import { databaseSettings, hostnameSetting, processSettings } from '@postel/runtime/settings'
import { z } from 'zod'

export const schema = z.object({
  ...databaseSettings,
  ...processSettings,
  ...hostnameSetting,
  RETENTION_DAYS: wholeNumber(30, 1, 3650),
})

export type WorkerConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): WorkerConfig {
  return readEnv(schema, env)
}
