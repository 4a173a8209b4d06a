/** Postel as a whole: a fresh durable database, and the apps as separate processes, relaying to a sink. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { bootstrap, type DkimAlgorithm } from '@postel/db/bootstrap'
import { connect, type Sql } from '@postel/db/client'
import { freePort } from '@postel/db/embedded/address'
import { PostgresCluster } from '@postel/db/embedded/cluster'
import { migrate } from '@postel/db/migrate'
import { createSecretBox } from '@postel/runtime/secret-box'
import { type Child, startChild } from './child.ts'
import type { Cleanup } from './cleanup.ts'
import { accepts } from './sink.ts'

export type App = 'inbound' | 'outbound' | 'worker'

/** Whose CPU and memory are counted. */
export type Part = App | 'postgres'

/** The REST API of the first project. */
export type Rest = { port: number; apiKey: string; pid: number }

export type Dkim = 'rsa' | 'ed25519' | 'none'

export type Postel = {
  /** Where it takes mail on 127.0.0.1. */
  port: number
  url: string
  sql: Sql
  /** The root processes, for cpuOf and memoryOf; only what runs now. */
  roots(): Record<Part, number>
  /** Starts an app and resolves once it says that it is ready. */
  start(app: App): Promise<void>
  stop(app: App): Promise<void>
  /** The same without outbound, which need not run. */
  rootsBeside(): Record<Exclude<Part, 'outbound'>, number>
  /**
   * Starts another outbound process as that node, in a network namespace: it holds what its interfaces have, sends to `relayUrl`, and has
   * the database through its socket.
   */
  startNode(name: string, namespace: string, relayUrl: string): Child
  /** Starts api, which no other benchmark needs. */
  startApi(): Promise<Rest>
  /** Waits until all outcomes are recorded and the queue is empty; false when it is not after 10 s. */
  becomesIdle(): Promise<boolean>
  /** For the case that mail does not get through: states and replies by number, and the ends of the logs. */
  diagnose(): Promise<string>
  /** Stops everything; an app that had ended before is an error. */
  stopAll(): Promise<void>
}

export type PostelOptions = {
  /** For the database, the logs and the apps' own files. */
  directory: string
  sinkPort: number
  dkim: Dkim
  /** For all apps, over what they are given otherwise. */
  environment?: Record<string, string>
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const readySeconds = 60
const algorithms: Record<Dkim, DkimAlgorithm[]> = {
  none: [],
  rsa: ['rsa-sha256'],
  ed25519: ['ed25519-sha256'],
}

/** Makes the database, with s.test verified and loopback trusted, and starts all apps. The cleanup stops them at the latest. */
export async function startPostel(cleanup: Cleanup, options: PostelOptions): Promise<Postel> {
  const { directory, sinkPort, dkim } = options
  const cluster = new PostgresCluster({ dataDir: join(directory, 'data') })
  const stopCluster = cleanup.defer(() => cluster.stop('immediate'))
  await cluster.start()
  await migrate(cluster.url)
  const secret = randomBytes(32).toString('base64')
  const sql = connect(cluster.url, { name: 'postel-bench', max: 2, statementTimeoutMs: 0 })
  const endSql = cleanup.defer(() => sql.end({ timeout: 5 }))
  const { apiKey } = await bootstrap(sql, {
    relayCidrs: ['127.0.0.0/8'],
    domains: ['s.test'],
    domainsVerified: true,
    dkim: algorithms[dkim],
    secretBox: createSecretBox(secret),
    addresses: [{ address: '127.0.0.1', ehloName: 'out.s.test' }],
  })

  const port = await freePort()
  const environment = {
    DATABASE_URL: cluster.url,
    DATABASE_DIRECT_URL: cluster.url,
    POSTEL_SECRET: secret,
    POSTEL_DATA_DIR: join(directory, 'postel'),
    POSTEL_HOSTNAME: 'bench.s.test',
    SMTP_SUBMISSION_PORT: `${port}`,
    SMTP_SUBMISSIONS_PORT: `${await freePort()}`,
    SMTP_MX_PORT: `${await freePort()}`,
    DELIVERY_MODE: 'relay',
    DELIVERY_RELAY_URL: `smtp://127.0.0.1:${sinkPort}`,
    DELIVERY_ALLOW_PRIVATE: 'true',
    OUTBOUND_ADDRESSES: '127.0.0.1',
    NODE_NAME: 'bench',
    API_REQUESTS_PER_SECOND: '0',
    LOG_LEVEL: 'warn',
    ...options.environment,
  }
  const children = new Map<App, Child>()
  const pidOf = (app: App) => {
    const child = children.get(app)
    if (!child || child.ended) throw new Error(`${app} has ended: ${child?.logTail() ?? ''}`)
    return child.pid
  }
  const startProcess = async (app: App | 'api', more: Record<string, string> = {}) => {
    const metricsPort = await freePort()
    const child = startChild(cleanup, {
      name: app,
      command: process.execPath,
      args: [`apps/${app}/src/main.ts`],
      cwd: root,
      env: { ...environment, METRICS_PORT: `${metricsPort}`, ...more },
      logFile: join(directory, `${app}.log`),
      ipc: true,
    })
    await untilReady(app, child, metricsPort)
    return child
  }
  const start = async (app: App) => {
    children.set(app, await startProcess(app))
    if (app === 'inbound') while (!(await accepts(port))) await sleep(10)
  }
  const stop = async (app: App) => {
    pidOf(app)
    await children.get(app)!.stop()
  }
  for (const app of ['inbound', 'outbound', 'worker'] as const) await start(app)
  return {
    port,
    url: cluster.url,
    sql,
    roots: () => ({
      inbound: pidOf('inbound'),
      outbound: pidOf('outbound'),
      worker: pidOf('worker'),
      postgres: cluster.pid!,
    }),
    rootsBeside: () => ({ inbound: pidOf('inbound'), worker: pidOf('worker'), postgres: cluster.pid! }),
    start,
    stop,
    startNode: (name, namespace, relayUrl) => {
      const { hostname, port: socketPort, username, pathname } = new URL(cluster.socketUrl)
      return startChild(cleanup, {
        name,
        command: '/usr/sbin/ip',
        args: ['netns', 'exec', namespace, process.execPath, 'apps/outbound/src/main.ts'],
        cwd: root,
        env: {
          ...environment,
          DATABASE_URL: `postgres://${pathname}`,
          DATABASE_DIRECT_URL: `postgres://${pathname}`,
          PGHOST: decodeURIComponent(hostname),
          PGPORT: socketPort,
          PGUSER: username,
          DELIVERY_RELAY_URL: relayUrl,
          OUTBOUND_ADDRESSES: '',
          NODE_NAME: name,
          METRICS_PORT: '0',
        },
        logFile: join(directory, `${name}.log`),
        ipc: true,
      })
    },
    startApi: async () => {
      const apiPort = await freePort()
      const child = await startProcess('api', { API_PORT: `${apiPort}` })
      cleanup.defer(() => child.stop())
      return { port: apiPort, apiKey: apiKey!, pid: child.pid }
    },
    becomesIdle: async () => {
      for (const end = Date.now() + 10_000; Date.now() < end; await sleep(50)) {
        const [row] = await sql<{ busy: boolean }[]>`select exists (select from postel.queue) as busy`
        if (!row!.busy) return true
      }
      return false
    },
    diagnose: async () => {
      const states = await sql<{ line: string }[]>`
        select concat_ws(' ', count(*)::text, state, last_reply) as line
        from postel.deliveries group by state, last_reply order by count(*) desc limit 10`
      const logs = [...children].map(([app, child]) => `${app}: ${child.logTail()}`)
      return [...states.map((row) => row.line), ...logs].join('\n')
    },
    stopAll: async () => {
      for (const app of children.keys()) await stop(app)
      await endSql()
      await stopCluster()
    },
  }
}

async function untilReady(app: string, child: Child, metricsPort: number): Promise<void> {
  let last = 'it does not listen'
  for (const end = Date.now() + readySeconds * 1000; Date.now() < end; await sleep(50)) {
    if (child.ended) throw new Error(`${app} has ended: ${child.logTail()}`)
    try {
      const response = await fetch(`http://127.0.0.1:${metricsPort}/readyz`)
      if (response.ok) return
      last = await response.text()
    } catch {}
  }
  throw new Error(`${app} is not ready after ${readySeconds} s: ${last}\n${child.logTail()}`)
}
