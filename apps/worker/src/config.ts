/** worker's configuration. */
import { readEnv, wholeNumber } from '@postel/runtime/env'
import {
  databaseSettings,
  dnsSettings,
  domainSettings,
  hostnameSetting,
  processSettings,
  publicUrlSetting,
  secretSetting,
  tracingSettings,
  webhookSettings,
} from '@postel/runtime/settings'
import { z } from 'zod'

export const schema = z.object({
  ...databaseSettings,
  ...processSettings,
  ...tracingSettings,
  ...hostnameSetting,
  ...dnsSettings,
  ...domainSettings,
  ...secretSetting,
  ...publicUrlSetting,
  ...webhookSettings,
  WEBHOOKS_TIMEOUT_SECONDS: wholeNumber(15, 1, 60),
  MODERATION_WINDOW_HOURS: wholeNumber(6, 1, 24),
  MODERATION_MIN_RECIPIENTS: wholeNumber(200, 1, 1_000_000_000),
  MODERATION_INVALID_PERCENT: wholeNumber(20, 0, 100),
  MODERATION_COMPLAINT_PERCENT: wholeNumber(3, 0, 100),
  RETENTION_DAYS: wholeNumber(30, 1, 3650),
})

export type WorkerConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): WorkerConfig {
  return readEnv(schema, env)
}
