/** The life of a process, seen from its parent. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from '@jest/globals'

let directory: string
let children: ChildProcess[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'postel-run-'))
  children = []
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true })
})

test('a parent that goes while the service starts is no fault: it is stopped in order', async () => {
  const program = join(directory, 'program.ts')
  const [starts, goOn] = [join(directory, 'starts'), join(directory, 'go-on')]
  writeFileSync(
    program,
    `import { existsSync, writeFileSync } from 'node:fs'
    import { runService } from ${JSON.stringify(new URL('./run-service.ts', import.meta.url).href)}
    const log = { info: () => {}, error: console.error, fatal: ({ err }) => console.error(err) }
    const service = {
      start: async () => {
        writeFileSync(${JSON.stringify(starts)}, '')
        // It hears of nothing meanwhile
        while (!existsSync(${JSON.stringify(goOn)}));
      },
      stop: async () => {},
    }
    runService({ create: () => ({ service, log }) })`,
  )
  const child = fork(program, { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  children.push(child)
  let errors = ''
  child.stderr!.on('data', (chunk) => {
    errors += chunk
  })
  const ended = Promise.all([once(child, 'exit'), once(child.stderr!, 'end')])
  while (!existsSync(starts) && child.exitCode === null) await sleep(5)
  const gone = once(child, 'disconnect')
  child.disconnect()
  await gone
  writeFileSync(goOn, '')
  const [[code]] = await ended
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
})
