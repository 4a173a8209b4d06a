/** The life of the standalone process: start, signals, and the two ways to stop. */
import { ConfigError } from '@postel/runtime/env'
import type { StandaloneService } from './service.ts'
import type { Terminal } from './terminal.ts'

/** npm passes on the Ctrl-C that the terminal has already sent to everyone, so each arrives here twice. */
const echoMs = 1000

/**
 * Runs until SIGINT, SIGTERM or SIGHUP (or until the parent goes away, when there is an IPC channel), stops in order and
 * exits 0; 1 when it cannot start. A second signal kills everything at once and exits 1.
 */
export function run(create: () => { service: StandaloneService; terminal: Terminal }): void {
  // The terminal may go away before we do
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  const { service, terminal } = createOrExit(create)
  let stoppingSince: number | undefined

  const stop = (code: number) => {
    stoppingSince = performance.now()
    service.stop().then(
      () => process.exit(code),
      (error) => {
        terminal.fault('stop_failed', messageOf(error))
        process.exit(1)
      },
    )
  }

  const onSignal = () => {
    if (stoppingSince === undefined) {
      terminal.say('\nStopping: what is under way is finished first. Ctrl-C once more stops at once.')
      return stop(0)
    }
    if (performance.now() - stoppingSince < echoMs) return
    terminal.say('Stopping at once.')
    service.kill().finally(() => process.exit(1))
  }

  const onFault = (error: unknown) => {
    terminal.fault('uncaught', error instanceof Error ? (error.stack ?? error.message) : String(error))
    if (stoppingSince === undefined) stop(1)
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  process.on('disconnect', () => stoppingSince === undefined && stop(0))
  process.on('uncaughtException', onFault)
  process.on('unhandledRejection', onFault)

  service.start().then(
    // A parent that has gone meanwhile is told of by 'disconnect'
    () => process.send?.({ event: 'started' }, () => {}),
    (error) => {
      if (stoppingSince !== undefined) return
      terminal.fault('start_failed', messageOf(error))
      stop(1)
    },
  )
}

function createOrExit<T>(create: () => T): T {
  try {
    return create()
  } catch (error) {
    console.error(error instanceof ConfigError ? error.message : error)
    process.exit(1)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
