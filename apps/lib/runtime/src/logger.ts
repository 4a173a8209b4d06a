/** pino loggers: JSON lines on stdout, one per event, never with bodies, secrets or (at info) local parts. */
import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

/** Where Postgres and its clients put whole rows, and what was sent: addresses, subjects, bodies. */
const withContent = [
  'detail',
  'where',
  'hint',
  'query',
  'parameters',
  'args',
  'internalQuery',
  'internal_query',
]

/** The root logger of a process; child loggers are handed down from it. `destination`: instead of stdout. */
export function createLogger(app: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { app, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: withoutContent },
  }
  return destination ? pino(options, destination) : pino(options)
}

function withoutContent(error: unknown): unknown {
  const shown = pino.stdSerializers.err(error as Error)
  if (!(error instanceof Error)) return shown
  const copy: Record<string, unknown> = { ...shown }
  for (const name of withContent) delete copy[name]
  return copy
}
