/** The HTTP listener for /livez, /readyz and /metrics that each process has. */
import { createServer } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import type { Registry } from './metrics.ts'

export type Health = {
  /** The port it listens on. */
  port: number
  stop(): Promise<void>
}

export type HealthOptions = {
  host?: string
  port: number
  registry: Registry
  /** Resolves when the process can do its work, rejects with the reason when it cannot. */
  ready: () => Promise<void>
}

/**
 * Serves health: /livez says that the event loop turns (it never asks the database), /readyz that the process can work
 * (503 with the reason otherwise, within 5 s), /metrics the registry. Rejects when the port is taken.
 */
export async function serveHealth(options: HealthOptions): Promise<Health> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/livez') return void response.end('ok\n')
    if (path === '/readyz')
      return void withDeadline(options.ready(), 5_000).then(
        () => response.end('ok\n'),
        (error) => response.writeHead(503).end(`${error instanceof Error ? error.message : error}\n`),
      )
    if (path === '/metrics')
      return void options.registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': options.registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      )
    response.writeHead(404).end()
  })
  server.requestTimeout = 10_000
  await listen(server, options.port, options.host ?? '0.0.0.0')
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
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
