/** outbound's configuration. */
import { hostname } from 'node:os'
import { ConfigError, flag, list, port, readEnv, wholeNumber } from '@postel/runtime/env'
import {
  databaseSettings,
  deliveryModeSetting,
  hostnameSetting,
  processSettings,
  secretSetting,
  tracingSettings,
  unsafeDatabaseSetting,
} from '@postel/runtime/settings'
import { z } from 'zod'
import { parseServer } from './dns-client.ts'

export const schema = z.object({
  ...databaseSettings,
  ...processSettings,
  ...tracingSettings,
  ...hostnameSetting,
  ...secretSetting,
  ...deliveryModeSetting,
  ...unsafeDatabaseSetting,
  DELIVERY_RELAY_URL: z
    .url({ protocol: /^smtps?$/, error: 'must be smtp://[user:password@]host:port or smtps://…' })
    .optional(),
  DELIVERY_PORT: port(25),
  DELIVERY_ALLOW_PRIVATE: flag(false),
  DELIVERY_CONNECTIONS_PER_SITE: wholeNumber(20, 1, 1000),
  DELIVERY_COMMAND_SECONDS: wholeNumber(300, 1, 3600),
  DELIVERY_FINAL_DOT_SECONDS: wholeNumber(600, 1, 3600),
  DELIVERY_CA_FILE: z.string().optional(),
  MTA_STS_PORT: wholeNumber(443, 1, 65535),
  DNS_SERVERS: list().refine((servers) => servers.every(isServer), {
    error: 'must be IP addresses, each with :port where that is not 53',
  }),
  DNS_DNSSEC: flag(false),
  DNS_TIMEOUT_MS: wholeNumber(3000, 50, 60_000),
  OUTBOUND_ADDRESSES: list(),
  OUTBOUND_POLL_SECONDS: wholeNumber(2, 1, 60),
  NODE_NAME: z.string().default(hostname()),
})

export type OutboundConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): OutboundConfig {
  const config = readEnv(schema, env)
  if (config.DELIVERY_MODE === 'relay' && !config.DELIVERY_RELAY_URL)
    throw new ConfigError(
      'The configuration cannot be used:\n  DELIVERY_RELAY_URL: must be set when DELIVERY_MODE is relay',
    )
  return config
}

function isServer(text: string): boolean {
  try {
    parseServer(text)
    return true
  } catch {
    return false
  }
}
