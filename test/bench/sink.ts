/** smtp-sink: takes all mail, throws it away, and counts it. */
import { spawnSync } from 'node:child_process'
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '@postel/db/embedded/address'
import { startChild } from './child.ts'
import type { Cleanup } from './cleanup.ts'
import { findTool, unprivileged } from './tools.ts'

/** What had been counted, and when (performance.now()) it had last grown. */
export type Count = { count: number; at: number }

export type Sink = {
  port: number
  /** Messages received since the start. */
  count(): number
  /** Waits until the count has reached `target`, or has not grown for `stallSeconds`. */
  reach(target: number, stallSeconds: number, onGrowth?: (now: Count) => void): Promise<Count>
  stop(): Promise<void>
}

const pollMs = 4

/** Starts `smtp-sink -c` at that place, else on a free port of 127.0.0.1; its counter is in `directory`. */
export async function startSink(
  cleanup: Cleanup,
  directory: string,
  name = 'sink',
  place?: { host: string; port: number },
): Promise<Sink> {
  const { host, port } = place ?? { host: '127.0.0.1', port: await freePort() }
  return counting(cleanup, join(directory, `${name}.count`), [], port, () => accepts(port, host), host)
}

/** The same in a network namespace, at that address of it. */
export function startSinkOn(
  cleanup: Cleanup,
  directory: string,
  namespace: string,
  host: string,
): Promise<Sink> {
  const port = 2525
  const listens = async () => {
    const { stdout } = spawnSync('ip', ['netns', 'exec', namespace, 'ss', '-ltnH', `sport = :${port}`], {
      encoding: 'utf8',
    })
    return stdout.trim() !== ''
  }
  return counting(
    cleanup,
    join(directory, 'sink.count'),
    ['/usr/sbin/ip', 'netns', 'exec', namespace],
    port,
    listens,
    host,
  )
}

async function counting(
  cleanup: Cleanup,
  logFile: string,
  prefix: readonly string[],
  port: number,
  listens: () => Promise<boolean>,
  host: string,
): Promise<Sink> {
  const [command, ...args] = [
    ...prefix,
    findTool('smtp-sink'),
    ...unprivileged(),
    '-c',
    `${host}:${port}`,
    '1000',
  ]
  const child = startChild(cleanup, { name: 'smtp-sink', command: command!, args, logFile })
  // The counter goes to a file: a pipe would wake this process, which shares the machine, for each message.
  const file = openSync(logFile, 'r')
  const close = cleanup.defer(() => closeSync(file))
  const buffer = Buffer.alloc(128)
  const count = () => {
    const size = fstatSync(file).size
    const length = readSync(file, buffer, 0, buffer.length, Math.max(0, size - buffer.length))
    return Number(/.*mesg=(\d+)\r/s.exec(buffer.toString('latin1', 0, length))?.[1] ?? 0)
  }
  while (!(await listens())) {
    if (child.ended) throw new Error(`smtp-sink has ended: ${child.logTail()}`)
    await sleep(10)
  }
  return {
    port,
    count,
    reach: async (target, stallSeconds, onGrowth) => {
      let last = { count: count(), at: performance.now() }
      while (last.count < target) {
        await sleep(pollMs)
        const now = { count: count(), at: performance.now() }
        if (now.count > last.count) {
          last = now
          onGrowth?.(now)
        } else if (now.at - last.at > stallSeconds * 1000) break
        if (child.ended) throw new Error('smtp-sink has ended')
      }
      return last
    },
    stop: async () => {
      await close()
      await child.stop()
    },
  }
}

/** True when something listens there. */
export function accepts(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host })
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.once('connect', () => socket.end())
  })
}
