/** api's configuration. */
import { port, readEnv } from '@postel/runtime/env'
import {
  databaseSettings,
  deliveryModeSetting,
  hostnameSetting,
  messageLimits,
  processSettings,
  unsafeDatabaseSetting,
} from '@postel/runtime/settings'
import { z } from 'zod'

export const schema = z.object({
  ...databaseSettings,
  ...processSettings,
  ...hostnameSetting,
  ...messageLimits,
  ...deliveryModeSetting,
  ...unsafeDatabaseSetting,
  API_PORT: port(3000),
  POSTEL_PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .default('http://localhost:3000')
    .transform((url) => url.replace(/\/+$/, '')),
})

export type ApiConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): ApiConfig {
  return readEnv(schema, env)
}
