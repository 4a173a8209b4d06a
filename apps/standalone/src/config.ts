/** standalone's configuration, and that of the psql command beside it. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { list, port, readEnv, wholeNumber } from '@postel/runtime/env'
import { bootstrapSettings, databaseSettings, secretSetting } from '@postel/runtime/settings'
import { z } from 'zod'

/** The root of the repository: what paths and commands on the screen refer to. */
export const rootDir = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

const dataDirSettings = {
  POSTEL_DATA_DIR: z
    .string()
    .default(resolve(rootDir, '.postel'))
    .transform((path) => resolve(path)),
  /** Unset: the embedded Postgres. */
  DATABASE_URL: databaseSettings.DATABASE_URL.optional(),
  DATABASE_DIRECT_URL: databaseSettings.DATABASE_DIRECT_URL,
}

export const schema = z.object({
  ...dataDirSettings,
  ...bootstrapSettings,
  BOOTSTRAP_DOMAINS: list().transform((domains) => (domains.length > 0 ? domains : ['example.test'])),
  /** Unset: true in the sandbox. */
  BOOTSTRAP_DOMAINS_VERIFIED: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .transform((text) => text === 'true')
    .optional(),
  ...secretSetting,
  POSTEL_SECRET: secretSetting.POSTEL_SECRET.optional(),
  DELIVERY_MODE: z
    .enum(['sandbox', 'direct', 'relay'], { error: 'must be sandbox, direct or relay' })
    .default('sandbox'),
  OUTBOUND_ADDRESSES: list(),
  NODE_NAME: z.string().default(hostname()),
  API_PORT: port(3000),
  SMTP_HOST: z.string().default('0.0.0.0'),
  SMTP_SUBMISSION_PORT: port(2587),
  SMTP_SUBMISSIONS_PORT: port(2465),
  SMTP_MX_PORT: port(2525),
  /** The first of four, one for each app; 0: any free ones. */
  METRICS_PORT: wholeNumber(9464, 0, 65532),
})

/** `environment` is what the apps inherit. */
export type StandaloneConfig = Readonly<z.infer<typeof schema>> & { environment: NodeJS.ProcessEnv }

/** Throws ConfigError with every problem. */
export function readConfig(env: NodeJS.ProcessEnv): StandaloneConfig {
  return Object.freeze({ ...readEnv(schema, env), environment: env })
}

export const psqlSchema = z.object({
  ...dataDirSettings,
  POSTEL_PSQL: z.enum(['auto', 'builtin'], { error: 'must be auto or builtin' }).default('auto'),
  PATH: z.string().default(''),
})

/** `environment` is what psql inherits. */
export type PsqlConfig = Readonly<z.infer<typeof psqlSchema>> & { environment: NodeJS.ProcessEnv }

/** Throws ConfigError with every problem. */
export function readPsqlConfig(env: NodeJS.ProcessEnv): PsqlConfig {
  return Object.freeze({ ...readEnv(psqlSchema, env), environment: env })
}
