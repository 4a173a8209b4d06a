/** The HTTP listeners for /livez, /readyz and /metrics that each process has: one, or two where health has a port of its own. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { Gauge, type Registry } from './metrics.ts'

export type Health = {
  /** The port of /metrics. */
  port: number
  /** The port of /livez and /readyz; mostly the same. */
  healthPort: number
  stop(): Promise<void>
}

/** As processSettings reads them. */
export type HealthConfig = {
  METRICS_HOST: string
  METRICS_PORT: number
  METRICS_TOKEN?: string | undefined
  HEALTH_HOST: string
  HEALTH_PORT?: number | undefined
}

export type HealthOptions = {
  config: HealthConfig
  registry: Registry
  /** Resolves when the process can do its work, rejects with the reason when it cannot. */
  ready: () => Promise<void>
}

const readyWithinMs = 5_000

/**
 * Serves health: /livez says that the event loop turns (it never asks the database), /readyz that the process can work
 * (503 with the reason otherwise, within 5 s), /metrics the registry, to whoever has the token where there is one. Rejects when
 * a port is taken.
 */
export async function serveHealth({ config, registry, ready }: HealthOptions): Promise<Health> {
  const { METRICS_HOST, METRICS_PORT, METRICS_TOKEN, HEALTH_HOST, HEALTH_PORT } = config
  const health = healthRoutes(ready, registry)
  const metrics = { '/metrics': metricsRoute(registry, METRICS_TOKEN) }
  const apart = HEALTH_PORT !== undefined
  const metricsServer = server(apart ? metrics : { ...health, ...metrics })
  const healthServer = apart ? server(health) : metricsServer
  try {
    await listen(metricsServer, METRICS_PORT, METRICS_HOST)
    if (apart) await listen(healthServer, HEALTH_PORT, HEALTH_HOST)
  } catch (error) {
    await close(metricsServer)
    throw error
  }
  return {
    port: portOf(metricsServer),
    healthPort: portOf(healthServer),
    stop: async () => void (await Promise.all([...new Set([metricsServer, healthServer])].map(close))),
  }
}

type Route = (request: IncomingMessage, response: ServerResponse) => void
type Listening = ReturnType<typeof server>

function server(routes: Readonly<Record<string, Route>>) {
  const listener: RequestListener = (request, response) => {
    const route = routes[request.url?.split('?')[0] ?? '']
    if (route) route(request, response)
    else response.writeHead(404).end()
  }
  const created = createServer(listener)
  created.requestTimeout = 10_000
  return created
}

function healthRoutes(ready: () => Promise<void>, registry: Registry): Record<string, Route> {
  const gauge = new Gauge({
    name: 'postel_ready',
    help: 'Whether the process could do its work when /readyz was last asked',
    registers: [registry],
  })
  gauge.remove()
  return {
    '/livez': (_request, response) => void response.end('ok\n'),
    '/readyz': (_request, response) =>
      void withDeadline(ready(), readyWithinMs).then(
        () => {
          gauge.set(1)
          response.end('ok\n')
        },
        (error) => {
          gauge.set(0)
          response.writeHead(503).end(`${error instanceof Error ? error.message : error}\n`)
        },
      ),
  }
}

function metricsRoute(registry: Registry, token: string | undefined): Route {
  const expected = token === undefined ? undefined : digest(`Bearer ${token}`)
  return (request, response) => {
    // The digests are as long as each other whatever was sent, and comparing them tells nothing by its time
    if (expected && !timingSafeEqual(digest(request.headers.authorization ?? ''), expected))
      return void response.writeHead(401, { 'www-authenticate': 'Bearer realm="metrics"' }).end()
    void registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

function portOf(listening: Listening): number {
  return (listening.address() as AddressInfo).port
}

function close(listening: Listening): Promise<void> {
  listening.closeAllConnections()
  return new Promise((resolve) => listening.close(() => resolve()))
}

/** Listens, or rejects with a message that names the port and what to do. */
export function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`Port ${port} is taken by another program: stop it or choose another port.`, {
              cause: error,
            })
          : error,
      )
    server.once('error', onError)
    server.listen(port, host, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

/** Rejects when `work` takes longer than `ms`. */
export function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  return Promise.race([work, deadline]).finally(() => clearTimeout(timer))
}
