/** pino loggers: JSON lines on stdout, one per event, never with bodies, secrets or (at info) local parts. */
import { type Logger, pino } from 'pino'

export type { Logger }

/** The root logger of a process; child loggers are handed down from it. */
export function createLogger(app: string, level: string): Logger {
  return pino({
    level,
    base: { app, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: pino.stdSerializers.err },
  })
}
