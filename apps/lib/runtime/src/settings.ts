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
  METRICS_HOST: z.string().default('0.0.0.0'),
  METRICS_PORT: port(9464),
  /** Unset: /metrics is open. */
  METRICS_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,500}$/, { error: 'must be 16 to 500 ASCII characters without spaces' })
    .optional(),
  HEALTH_HOST: z.string().default('127.0.0.1'),
  /** Unset: /livez and /readyz are beside /metrics. */
  HEALTH_PORT: port(0).unwrap().optional(),
}

export const tracingSettings = {
  /** Unset: no traces. */
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .optional(),
  /** name=value */
  OTEL_EXPORTER_OTLP_HEADERS: list().refine(
    (pairs) => pairs.every((pair) => /^[A-Za-z0-9-]+=[\x20-\x7e]+$/.test(pair)),
    { error: 'must be name=value, separated by commas' },
  ),
  OTEL_TRACES_SAMPLER_ARG: z.coerce
    .number({ error: 'must be a number from 0 to 1' })
    .min(0, { error: 'must be a number from 0 to 1' })
    .max(1, { error: 'must be a number from 0 to 1' })
    .default(1),
}

export type TracingConfig = {
  OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined
  OTEL_EXPORTER_OTLP_HEADERS: readonly string[]
  OTEL_TRACES_SAMPLER_ARG: number
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

/** Where backups are: any storage that speaks S3. */
export const backupStoreSettings = {
  BACKUP_S3_ENDPOINT: z
    .url({ protocol: /^https?$/, error: 'must be set to an http:// or https:// URL without a path' })
    .refine((url) => new URL(url).pathname === '/', { error: 'must be a URL without a path' }),
  BACKUP_S3_BUCKET: z
    .string({ error: 'must be set to the name of a bucket' })
    .regex(/^[A-Za-z0-9._-]{1,255}$/, { error: 'must be the name of a bucket' }),
  BACKUP_S3_REGION: z.string().default('us-east-1'),
  BACKUP_S3_ACCESS_KEY_ID: z.string({ error: 'must be set' }),
  BACKUP_S3_SECRET_ACCESS_KEY: z.string({ error: 'must be set' }),
  /** The bucket's name is in the path; else it is in the host name. */
  BACKUP_S3_PATH_STYLE: flag(true),
  /** What the names of all objects begin with. */
  BACKUP_S3_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._/-]{0,200}$/, { error: 'must be letters, digits, ., _, - and /' })
    .default('postel/'),
}

export const backupSettings = {
  /** Public keys of age; whoever has the private key of one can read the backups. */
  BACKUP_AGE_RECIPIENTS: list().refine(
    (recipients) => recipients.length > 0 && recipients.every((text) => /^age1[0-9a-z]{50,}$/.test(text)),
    { error: 'must be set to public keys of age (age1…), separated by commas' },
  ),
  BACKUP_BODIES: flag(true),
  /** 0: backups are never deleted from here. */
  BACKUP_KEEP_DAYS: wholeNumber(30, 0, 3650),
  /** The first backup of a month is kept for so many months. */
  BACKUP_KEEP_MONTHS: wholeNumber(12, 0, 240),
  BACKUP_READ_BACK: flag(true),
}

export const unsafeDatabaseSetting = {
  /** Tests only: run on a database whose commits a crash can undo. */
  POSTEL_UNSAFE_DATABASE: flag(false),
}
