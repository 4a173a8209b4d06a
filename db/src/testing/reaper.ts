// Waits for the process at the other end of its standard input to end, then stops that one's test cluster and removes it.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, readPostmaster } from '../embedded/postmaster.ts'
import { endServer } from '../embedded/server-process.ts'

const directory = process.argv[2]!
for await (const _ of process.stdin);
// An initdb or a server that was only just started still makes files: try until nothing does.
for (let tries = 0; tries < 50; tries++) {
  const left = readPostmaster(join(directory, 'data'))
  if (left?.running) await endServer(left.pid, 'immediate', () => !isAlive(left.pid))
  try {
    rmSync(directory, { recursive: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') break
  }
  await sleep(100)
}
