/** smtp-source: sends a number of equal messages over parallel sessions, as fast as they are taken. */
import { join, resolve } from 'node:path'
import { startChild } from './child.ts'
import type { Cleanup } from './cleanup.ts'
import { findTool } from './tools.ts'

export type Load = {
  messages: number
  sessions: number
  /** Bytes of smtp-source's own body, one repeated letter. */
  size: number
  /** A file with a whole message (LF line ends) to send instead. */
  body?: string | undefined
}

/** When it started to connect and when the last 250 and the replies to QUIT were in: performance.now(). */
export type LoadTimes = { startedAt: number; endedAt: number }

/** The sender's domain must be verified: smtp-source puts this address into From as well. */
export const sender = 'a@s.test'
export const recipient = 'b@r.test'

/** Sends the load to 127.0.0.1:`port`. Rejects when a reply is not the one hoped for, or after 10 min and 50 ms a message. */
export async function sendLoad(
  cleanup: Cleanup,
  directory: string,
  port: number,
  load: Load,
): Promise<LoadTimes> {
  const { messages, sessions, size, body } = load
  const content = body ? ['-F', resolve(body)] : ['-l', `${size}`]
  const startedAt = performance.now()
  const child = startChild(cleanup, {
    name: 'smtp-source',
    command: findTool('smtp-source'),
    args: [
      ...['-s', `${Math.min(sessions, messages)}`, ...content, '-m', `${messages}`],
      ...['-d', '-f', sender, '-t', recipient, `127.0.0.1:${port}`],
    ],
    logFile: join(directory, 'source.log'),
  })
  const deadline = setTimeout(() => void child.stop(), 600_000 + messages * 50)
  const outcome = await child.exited
  const endedAt = performance.now()
  clearTimeout(deadline)
  await child.stop()
  if (outcome !== 0) throw new Error(`smtp-source ended with ${outcome}: ${child.logTail()}`)
  return { startedAt, endedAt }
}
