/** The apps that standalone runs, and the environment that each gets. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { rootDir, type StandaloneConfig } from './config.ts'
import type { Ports } from './ports.ts'

export type AppName = keyof Ports['metrics']

/** A program with the shape of an app: configured by its environment, it says `{event: 'started'}` and ends with its parent. */
export type App = { name: AppName; file: string }

/** All are started at once. */
export const apps: readonly App[] = (['inbound', 'api', 'outbound', 'worker'] as const).map((name) => ({
  name,
  file: join(rootDir, 'apps', name, 'src/main.ts'),
}))

/** What the apps of a run have in common. */
export type AppContext = {
  config: StandaloneConfig
  ports: Ports
  databaseUrl: string
  databaseDirectUrl: string
  secret: string
  addresses: readonly string[]
}

/** Starts an app's process, with its output in pipes. */
export function spawnApp(app: App, context: AppContext): ChildProcess {
  return fork(app.file, {
    execArgv: [],
    env: appEnvironment(app.name, context),
    cwd: rootDir,
    // A process group of its own: the terminal's Ctrl-C must reach an app only once, from us
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
}

/** A key that is no app's business, and a port that only one of them could have. */
const notInherited = new Set(['BOOTSTRAP_API_KEY', 'HEALTH_PORT'])

/** What is set in the environment stays; what is not is derived from the run. */
export function appEnvironment(name: AppName, context: AppContext): NodeJS.ProcessEnv {
  const { config, ports, addresses } = context
  const sandbox = config.DELIVERY_MODE === 'sandbox'
  const embedded = config.DATABASE_URL === undefined
  const inherited = Object.entries(config.environment).filter(
    ([variable, value]) =>
      value !== '' && !notInherited.has(variable) && !(embedded && isPostgresClients(variable)),
  )
  return {
    POSTEL_PUBLIC_URL: `http://localhost:${ports.api}`,
    BOOTSTRAP_DOMAINS_VERIFIED: String(sandbox),
    WEBHOOKS_ALLOW_PRIVATE: String(sandbox),
    SYSTEM_MAIL_FROM: `Postel <postel@${config.BOOTSTRAP_DOMAINS[0]}>`,
    ...Object.fromEntries(inherited),
    DATABASE_URL: context.databaseUrl,
    DATABASE_DIRECT_URL: context.databaseDirectUrl,
    POSTEL_SECRET: context.secret,
    DELIVERY_MODE: config.DELIVERY_MODE,
    NODE_NAME: config.NODE_NAME,
    OUTBOUND_ADDRESSES: addresses.join(','),
    API_PORT: String(ports.api),
    SMTP_SUBMISSION_PORT: String(ports.submission),
    SMTP_SUBMISSIONS_PORT: String(ports.submissions),
    SMTP_MX_PORT: String(ports.mx),
    METRICS_PORT: String(ports.metrics[name]),
  }
}

/** PGSSLMODE and its like are meant for another server than ours. */
function isPostgresClients(variable: string): boolean {
  return /^PG[A-Z]+$/.test(variable)
}
