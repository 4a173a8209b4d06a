/** Postfix as a peer: an instance of its own in a directory of ours, relaying to a sink. */
import { execFile } from 'node:child_process'
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '@postel/db/embedded/address'
import { startChild } from './child.ts'
import type { Cleanup } from './cleanup.ts'
import { accepts } from './sink.ts'
import { CannotRunError, findTool, hasTool } from './tools.ts'

export type Postfix = {
  /** Where it takes mail on 127.0.0.1. */
  port: number
  /** The process number of its master, the parent of all others. */
  pid: number
  /** "Postfix 3.7.11" */
  name: string
  /** Waits until its queue is empty; false when it is not after 10 s. */
  becomesIdle(): Promise<boolean>
  stop(): Promise<void>
}

const execute = promisify(execFile)
const masterFiles = ['/usr/share/postfix/master.cf.dist', '/etc/postfix/master.cf']

/** True when an instance can be started here: Postfix is installed and we are root, which its master must be. */
export function canRunPostfix(): boolean {
  return hasTool('postfix') && process.getuid?.() === 0
}

/** Makes `<directory>/postfix` with an empty queue and starts the instance; it is stopped by the cleanup at the latest. */
export async function startPostfix(cleanup: Cleanup, directory: string, sinkPort: number): Promise<Postfix> {
  const command = findTool('postfix')
  if (process.getuid?.() !== 0)
    throw new CannotRunError('Postfix as a peer needs root, because its master process does.')
  const home = join(directory, 'postfix')
  const port = await freePort()
  await configure(home, port, sinkPort)
  const config = ['-c', join(home, 'etc')]
  const logFile = join(directory, 'postfix.log')
  // A shell that waits for the master: so the master is reaped, and its end is seen here.
  const shell = startChild(cleanup, {
    name: 'Postfix',
    command,
    args: [...config, 'start-fg'],
    logFile,
    detached: true,
  })
  const stop = cleanup.defer(async () => {
    await execute(command, [...config, 'stop'], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } }).catch(
      () => {},
    )
    await shell.stop()
  })
  for (const end = Date.now() + 20_000; !(await accepts(port)); await sleep(20))
    if (shell.ended || Date.now() > end)
      throw new Error(
        `Postfix does not start: ${shell.logTail()}\n${readIfThere(join(home, 'mail.log')) ?? ''}`,
      )
  return {
    port,
    pid: Number.parseInt(readFileSync(join(home, 'queue/pid/master.pid'), 'utf8'), 10),
    name: `Postfix ${await version()}`,
    becomesIdle: () => isEmptySoon(join(home, 'queue')),
    stop,
  }
}

/** The version of the Postfix that is installed. */
async function version(): Promise<string> {
  const { stdout } = await execute('/usr/sbin/postconf', ['-dh', 'mail_version'])
  return stdout.trim()
}

async function configure(home: string, port: number, sinkPort: number): Promise<void> {
  mkdirSync(join(home, 'etc'), { recursive: true })
  mkdirSync(join(home, 'queue'))
  mkdirSync(join(home, 'data'))
  const { stdout } = await execute('id', ['-u', 'postfix'])
  chownSync(join(home, 'data'), Number(stdout), statSync(join(home, 'data')).gid)
  const template = readFileSync(new URL('postfix/main.cf.template', import.meta.url), 'utf8')
  const main = template.replaceAll('@DIR@', home).replaceAll('@SINK_PORT@', `${sinkPort}`)
  writeFileSync(join(home, 'etc/main.cf'), main)
  writeFileSync(join(home, 'etc/master.cf'), masterConfiguration(port))
}

/** The package's own, with smtpd on our port and no service in a chroot. */
function masterConfiguration(port: number): string {
  const original = masterFiles.map(readIfThere).find((text) => text !== undefined)
  if (original === undefined) throw new CannotRunError(`Postfix's ${masterFiles[0]} is missing.`)
  const lines = original.split('\n').map((line) => {
    if (/^smtp\s+inet\s/.test(line)) return `127.0.0.1:${port} inet n - n - - smtpd`
    return line.replace(/^(\w\S*\s+\S+\s+\S+\s+\S+\s+)[y-](\s)/, '$1n$2')
  })
  return lines.join('\n')
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

async function isEmptySoon(queue: string): Promise<boolean> {
  for (const end = Date.now() + 10_000; Date.now() < end; await sleep(50)) {
    const files = await Promise.all(
      ['incoming', 'active', 'deferred', 'maildrop'].map(async (name) => {
        const entries = await readdir(join(queue, name), { withFileTypes: true, recursive: true })
        return entries.filter((entry) => entry.isFile()).length
      }),
    )
    if (files.every((count) => count === 0)) return true
  }
  return false
}
