/** inbound's configuration. */
import { isProblem, parseMailbox } from '@postel/mail/address'
import { networkList, port, readEnv, wholeNumber } from '@postel/runtime/env'
import {
  databaseSettings,
  deliveryModeSetting,
  domainSettings,
  hostnameSetting,
  messageLimits,
  processSettings,
  publicUrlSetting,
  secretSetting,
  tracingSettings,
  unsafeDatabaseSetting,
} from '@postel/runtime/settings'
import { z } from 'zod'

export const schema = z.object({
  ...databaseSettings,
  ...processSettings,
  ...tracingSettings,
  ...hostnameSetting,
  ...secretSetting,
  ...publicUrlSetting,
  ...messageLimits,
  ...deliveryModeSetting,
  ...unsafeDatabaseSetting,
  SMTP_HOST: z.string().default('0.0.0.0'),
  SMTP_SUBMISSION_PORT: port(2587),
  SMTP_SUBMISSIONS_PORT: port(2465),
  SMTP_MX_PORT: port(2525),
  SMTP_MX_MAX_CONNECTIONS: wholeNumber(500, 1, 100_000),
  SMTP_MX_MAX_CONNECTIONS_PER_CLIENT: wholeNumber(20, 1, 100_000),
  SMTP_MX_MESSAGES_PER_SECOND: wholeNumber(20, 1, 100_000),
  /** Unset: mail to postmaster is refused, and mail to abuse that is no complaint. */
  POSTMASTER_FORWARD_TO: z
    .string()
    .refine((text) => !isProblem(parseMailbox(text)), { error: 'must be one address: local@domain' })
    .optional(),
  RETURN_PATH_HOST: domainSettings.RETURN_PATH_HOST,
  SMTP_TLS_CERT_FILE: z.string().optional(),
  SMTP_TLS_KEY_FILE: z.string().optional(),
  SMTP_MAX_CONNECTIONS: wholeNumber(2000, 1, 100_000),
  SMTP_MAX_CONNECTIONS_PER_CLIENT: wholeNumber(200, 1, 100_000),
  SMTP_IDLE_SECONDS: wholeNumber(60, 1, 3600),
  SMTP_PROXY_PROTOCOL_FROM: networkList().refine(
    (networks) => !networks.some((each) => each.endsWith('/0')),
    {
      error: 'must not be everybody: whom it names can pass for any client, those of trusted networks too',
    },
  ),
})

export type InboundConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): InboundConfig {
  return readEnv(schema, env)
}
