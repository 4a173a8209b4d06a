/** The life of a process: configuration, start, signals, the deadline for stopping, exit codes. */
import { ConfigError } from './env.ts'
import type { Logger } from './logger.ts'

export type Service = {
  /** Resolves when it works, or was stopped before that; rejects when it cannot start. */
  start(): Promise<void>
  /** Takes nothing new, finishes or releases what it holds. May be called more than once. */
  stop(): Promise<void>
}

export type RunOptions = {
  /** Reads the configuration and builds the service; a ConfigError is printed without a stack. */
  create: () => { service: Service; log: Logger }
  /** How long stop() may take before the process exits with 1. Default 80,000 ms. */
  stopDeadlineMs?: number
}

/**
 * Runs a service until SIGTERM or SIGINT, or until its parent goes away when it was started with an IPC channel. Exits 0
 * after an orderly stop, 1 when it cannot start or stop in time. A second signal exits at once. An exception that nobody
 * caught stops the process: its supervisor starts it anew.
 */
export function runService(options: RunOptions): void {
  let built: { service: Service; log: Logger }
  try {
    built = options.create()
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error)
    process.exit(1)
  }
  const { service, log } = built
  let stopping = false

  const stop = (cause: string, code: number) => {
    if (stopping) {
      if (cause.startsWith('SIG')) process.exit(1)
      return
    }
    stopping = true
    log.info({ event: 'stop', cause }, 'stopping')
    setTimeout(() => {
      log.error({ event: 'stop_timeout' }, 'not stopped in time, exiting')
      process.exit(1)
    }, options.stopDeadlineMs ?? 80_000).unref()
    service.stop().then(
      () => process.exit(code),
      (error) => {
        log.error({ event: 'stop_failed', err: error }, 'could not stop cleanly')
        process.exit(1)
      },
    )
  }

  process.on('SIGTERM', () => stop('SIGTERM', 0))
  process.on('SIGINT', () => stop('SIGINT', 0))
  process.on('disconnect', () => stop('parent gone', 0))
  process.on('uncaughtException', (error) => {
    log.fatal({ event: 'uncaught', err: error }, 'uncaught exception')
    stop('uncaught exception', 1)
  })
  process.on('unhandledRejection', (error) => {
    log.fatal({ event: 'unhandled', err: error }, 'unhandled rejection')
    stop('unhandled rejection', 1)
  })

  service.start().then(
    () => {
      if (stopping) return
      log.info({ event: 'started' }, 'started')
      // A parent that has gone meanwhile is told of by 'disconnect'
      process.send?.({ event: 'started' }, () => {})
    },
    (error) => {
      if (stopping) return
      log.fatal({ event: 'start_failed', err: error }, 'could not start')
      console.error(error instanceof Error ? error.message : error)
      process.exit(1)
    },
  )
}
