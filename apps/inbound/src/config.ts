/** inbound's configuration. */
import { port, readEnv, wholeNumber } from '@postel/runtime/env'
import {
  databaseSettings,
  deliveryModeSetting,
  hostnameSetting,
  messageLimits,
  processSettings,
  publicUrlSetting,
  secretSetting,
  unsafeDatabaseSetting,
} from '@postel/runtime/settings'
import { z } from 'zod'

export const schema = z.object({
  ...databaseSettings,
  ...processSettings,
  ...hostnameSetting,
  ...secretSetting,
  ...publicUrlSetting,
  ...messageLimits,
  ...deliveryModeSetting,
  ...unsafeDatabaseSetting,
  SMTP_HOST: z.string().default('0.0.0.0'),
  SMTP_SUBMISSION_PORT: port(2587),
  SMTP_SUBMISSIONS_PORT: port(2465),
  SMTP_TLS_CERT_FILE: z.string().optional(),
  SMTP_TLS_KEY_FILE: z.string().optional(),
  SMTP_MAX_CONNECTIONS: wholeNumber(2000, 1, 100_000),
  SMTP_MAX_CONNECTIONS_PER_CLIENT: wholeNumber(200, 1, 100_000),
  SMTP_IDLE_SECONDS: wholeNumber(60, 1, 3600),
})

export type InboundConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): InboundConfig {
  return readEnv(schema, env)
}
