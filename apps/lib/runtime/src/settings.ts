/** The variables that more than one app reads, each defined once. `.env.example` is held against them by a test. */
import { hostname } from 'node:os'
import { z } from 'zod'
import { isDnsServer } from './dns-records.ts'
import { databaseUrl, flag, list, port, wholeNumber } from './env.ts'

export const databaseSettings = {
  DATABASE_URL: databaseUrl(),
  /** Unset: the same as DATABASE_URL. */
  DATABASE_DIRECT_URL: databaseUrl().optional(),
}

export const processSettings = {
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be one of fatal, error, warn, info, debug, trace, silent',
    })
    .default('info'),
  METRICS_PORT: port(9464),
}

const hostName = () => z.string().regex(/^[A-Za-z0-9._-]{1,253}$/, { error: 'must be a host name' })

export const hostnameSetting = {
  POSTEL_HOSTNAME: z
    .string()
    .regex(/^[A-Za-z0-9.-]{1,253}$/, { error: 'must be a host name' })
    .default(hostname().replace(/[^A-Za-z0-9.-]/g, '-')),
}

export const secretSetting = {
  POSTEL_SECRET: z
    .string({ error: 'must be set to 32 random bytes in base64 (openssl rand -base64 32)' })
    .refine((text) => Buffer.from(text, 'base64').length === 32, {
      error: 'must be 32 bytes in base64 (openssl rand -base64 32)',
    }),
  /** Opens what it encrypted, while POSTEL_SECRET is being replaced. */
  POSTEL_SECRET_PREVIOUS: z
    .string()
    .refine((text) => Buffer.from(text, 'base64').length === 32, { error: 'must be 32 bytes in base64' })
    .optional(),
}

export const dnsSettings = {
  /** Unset: the system's. */
  DNS_SERVERS: list().refine((servers) => servers.every(isDnsServer), {
    error: 'must be IP addresses, each with :port where that is not 53',
  }),
  DNS_TIMEOUT_MS: wholeNumber(3000, 50, 60_000),
}

/** What the DNS records of sender domains name; read them with domainHosts(). */
export const domainSettings = {
  /** Unset: POSTEL_HOSTNAME. */
  RETURN_PATH_HOST: hostName().optional(),
  /** Unset: the source addresses are listed one by one. */
  SPF_INCLUDE: hostName().optional(),
  /** Unset: POSTEL_HOSTNAME. */
  TRACKING_HOST: hostName().optional(),
}

/** The hosts that the DNS records of sender domains name, in lower case. */
export type DomainHosts = { mailHost: string; spfInclude: string | null; trackingHost: string }

export function domainHosts(config: {
  POSTEL_HOSTNAME: string
  RETURN_PATH_HOST?: string | undefined
  SPF_INCLUDE?: string | undefined
  TRACKING_HOST?: string | undefined
}): DomainHosts {
  return {
    mailHost: (config.RETURN_PATH_HOST ?? config.POSTEL_HOSTNAME).toLowerCase(),
    spfInclude: config.SPF_INCLUDE?.toLowerCase() ?? null,
    trackingHost: (config.TRACKING_HOST ?? config.POSTEL_HOSTNAME).toLowerCase(),
  }
}

export const publicUrlSetting = {
  POSTEL_PUBLIC_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .default('http://localhost:3000')
    .transform((url) => url.replace(/\/+$/, '')),
}

export const webhookSettings = {
  /** For development: webhooks may be told by plain http and on private networks. */
  WEBHOOKS_ALLOW_PRIVATE: flag(false),
}

export const messageLimits = {
  MAX_MESSAGE_BYTES: wholeNumber(41_943_040, 1024, 157_286_400),
  SMTP_MAX_RECIPIENTS: wholeNumber(1000, 1, 32_000),
}

export const deliveryModeSetting = {
  DELIVERY_MODE: z
    .enum(['sandbox', 'direct', 'relay'], { error: 'must be sandbox, direct or relay' })
    .default('direct'),
}

export const bootstrapSettings = {
  BOOTSTRAP_API_KEY: z
    .string()
    .regex(/^[A-Za-z0-9_-]{20,200}$/, { error: 'must be 20 to 200 letters, digits, _ or -' })
    .optional(),
  BOOTSTRAP_RELAY_CIDR: list(),
  BOOTSTRAP_DOMAINS: list(),
  /** Unset: true in sandbox, else false. */
  BOOTSTRAP_DOMAINS_VERIFIED: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .optional()
    .transform((text) => (text === undefined ? undefined : text === 'true')),
}

export const unsafeDatabaseSetting = {
  /** Tests only: run on a database whose commits a crash can undo. */
  POSTEL_UNSAFE_DATABASE: flag(false),
}
