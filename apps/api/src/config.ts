/** api's configuration, and that of the command beside it. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isProblem, parseAddressList } from '@postel/mail/address'
import { networkList, port, readEnv, wholeNumber } from '@postel/runtime/env'
import {
  databaseSettings,
  deliveryModeSetting,
  dnsSettings,
  domainSettings,
  hostnameSetting,
  messageLimits,
  processSettings,
  publicUrlSetting,
  secretSetting,
  tracingSettings,
  unsafeDatabaseSetting,
  webhookSettings,
} from '@postel/runtime/settings'
import { z } from 'zod'

const text = () => z.string().optional()

const peopleSettings = {
  AUTH_SIGNUP: z.enum(['open', 'invitation'], { error: 'must be open or invitation' }).default('invitation'),
  AUTH_GITHUB_CLIENT_ID: text(),
  AUTH_GITHUB_CLIENT_SECRET: text(),
  AUTH_OIDC_ISSUER: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
  AUTH_OIDC_CLIENT_ID: text(),
  AUTH_OIDC_CLIENT_SECRET: text(),
  AUTH_OIDC_NAME: z.string().default('OpenID Connect'),
  /** Unset: Postel sends no mail of its own. */
  SYSTEM_MAIL_FROM: z
    .string()
    .refine(isOneMailbox, { error: 'must be one address: local@domain or Name <local@domain>' })
    .optional(),
  /** Unset: the oldest project that may send from the domain. */
  SYSTEM_MAIL_PROJECT: z.guid({ error: 'must be the id of a project' }).optional(),
}

const togetherOnly = [
  ['AUTH_GITHUB_CLIENT_ID', 'AUTH_GITHUB_CLIENT_SECRET'],
  ['AUTH_OIDC_ISSUER', 'AUTH_OIDC_CLIENT_ID', 'AUTH_OIDC_CLIENT_SECRET'],
] as const

function isOneMailbox(text: string): boolean {
  const list = parseAddressList(text)
  return !isProblem(list) && list.mailboxes.length === 1 && list.groups === 0
}

export const schema = z
  .object({
    ...databaseSettings,
    ...processSettings,
    ...tracingSettings,
    ...secretSetting,
    ...hostnameSetting,
    ...messageLimits,
    ...deliveryModeSetting,
    ...dnsSettings,
    ...domainSettings,
    ...unsafeDatabaseSetting,
    API_PORT: port(3000),
    /** Their X-Forwarded-For is believed. */
    API_TRUSTED_PROXIES: networkList(),
    API_REQUESTS_PER_SECOND: wholeNumber(1000, 0, 1_000_000),
    ...peopleSettings,
    ...publicUrlSetting,
    ...webhookSettings,
  })
  .superRefine((config, context) => {
    for (const group of togetherOnly) {
      const missing = group.filter((name) => config[name] === undefined)
      if (missing.length === 0 || missing.length === group.length) continue
      for (const name of missing)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `must be set with ${group.find((each) => !missing.includes(each))}`,
        })
    }
  })

export type ApiConfig = Readonly<z.infer<typeof schema>>

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): ApiConfig {
  return readEnv(schema, env)
}

/** Undefined: nobody signs in with GitHub. */
export function githubOf(config: ApiConfig): { clientId: string; clientSecret: string } | undefined {
  const { AUTH_GITHUB_CLIENT_ID: clientId, AUTH_GITHUB_CLIENT_SECRET: clientSecret } = config
  return clientId !== undefined && clientSecret !== undefined ? { clientId, clientSecret } : undefined
}

/** Undefined: nobody signs in with OpenID Connect. */
export function oidcOf(
  config: ApiConfig,
): { issuer: string; clientId: string; clientSecret: string; name: string } | undefined {
  const { AUTH_OIDC_ISSUER: issuer, AUTH_OIDC_NAME: name } = config
  const { AUTH_OIDC_CLIENT_ID: clientId, AUTH_OIDC_CLIENT_SECRET: clientSecret } = config
  return issuer !== undefined && clientId !== undefined && clientSecret !== undefined
    ? { issuer, clientId, clientSecret, name }
    : undefined
}

export const adminSchema = z.object({
  /** Unset: the database of the running `npm start`. */
  DATABASE_URL: databaseSettings.DATABASE_URL.optional(),
  POSTEL_DATA_DIR: z
    .string()
    .default(fileURLToPath(new URL('../../../.postel', import.meta.url)))
    .transform((path) => resolve(path)),
})

/** For `npm run admin`. Throws ConfigError with every problem. */
export function readAdminConfig(env: NodeJS.ProcessEnv): Readonly<z.infer<typeof adminSchema>> {
  return readEnv(adminSchema, env)
}
