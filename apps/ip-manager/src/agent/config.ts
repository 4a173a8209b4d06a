/** The interface agent's configuration. It needs neither POSTEL_SECRET nor a cloud's token. */
import { hostname } from 'node:os'
import { readEnv, wholeNumber } from '@postel/runtime/env'
import { databaseSettings, processSettings } from '@postel/runtime/settings'
import { z } from 'zod'

export const schema = z.object({
  ...databaseSettings,
  ...processSettings,
  NODE_NAME: z.string().default(hostname()),
  /** Unset: the interface of the default route, of IPv4 and of IPv6 each. */
  IP_AGENT_INTERFACE: z
    .string()
    .regex(/^[^\s/]{1,15}$/, { error: 'must be the name of a network interface' })
    .optional(),
  IP_AGENT_POLL_SECONDS: wholeNumber(2, 1, 5),
})

export type AgentConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): AgentConfig {
  return readEnv(schema, env)
}
