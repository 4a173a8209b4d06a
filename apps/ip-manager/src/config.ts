/** ip-manager's configuration. */
import { ConfigError, flag, readEnv, wholeNumber } from '@postel/runtime/env'
import { databaseSettings, dnsSettings, hostnameSetting, processSettings } from '@postel/runtime/settings'
import { z } from 'zod'

/** A file's last line end does no harm. */
const token = () =>
  z
    .string()
    .trim()
    .regex(/^[\x21-\x7e]+$/, { error: 'must be one word of ASCII characters' })
    .optional()

export const schema = z.object({
  ...databaseSettings,
  ...processSettings,
  ...dnsSettings,
  /** Of outbound, for IPs without an EHLO name of their own. Unset: theirs cannot be checked. */
  POSTEL_HOSTNAME: hostnameSetting.POSTEL_HOSTNAME.unwrap().optional(),
  IP_PROVIDER: z
    .enum(['static', 'upcloud', 'hetzner'], { error: 'must be static, upcloud or hetzner' })
    .default('static'),
  IP_PROVIDER_URL: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
  UPCLOUD_TOKEN: token(),
  UPCLOUD_USERNAME: z.string().optional(),
  UPCLOUD_PASSWORD: z.string().optional(),
  HETZNER_TOKEN: token(),
  IP_MANAGER_DRY_RUN: flag(false),
  IP_MANAGER_NODE_DEAD_SECONDS: wholeNumber(30, 30, 3600),
  IP_MANAGER_SETTLE_SECONDS: wholeNumber(300, 0, 86_400),
  IP_MANAGER_PLANNED_MOVES: wholeNumber(4, 1, 1000),
  IP_MANAGER_LIST_SECONDS: wholeNumber(30, 1, 300),
})

export type IpManagerConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): IpManagerConfig {
  const config = readEnv(schema, env)
  const problem = missingCredentials(config)
  if (problem) throw new ConfigError(`The configuration cannot be used:\n  ${problem}`)
  return config
}

function missingCredentials(config: IpManagerConfig): string | undefined {
  const byPassword = config.UPCLOUD_USERNAME !== undefined && config.UPCLOUD_PASSWORD !== undefined
  if (config.IP_PROVIDER === 'upcloud' && config.UPCLOUD_TOKEN === undefined && !byPassword)
    return 'UPCLOUD_TOKEN: must be set when IP_PROVIDER is upcloud, or UPCLOUD_USERNAME and UPCLOUD_PASSWORD'
  if (config.IP_PROVIDER === 'hetzner' && config.HETZNER_TOKEN === undefined)
    return 'HETZNER_TOKEN: must be set when IP_PROVIDER is hetzner'
  return undefined
}
