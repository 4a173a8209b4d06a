// A directory for a test's cluster that does not outlive the test process, however that ends.
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `remove` may be called twice, and only when nothing runs in the directory any more. */
export interface ThrowAwayDirectory {
  path: string
  remove(): void
}

/**
 * Makes a directory in the temporary one. If this process ends without `remove`, even by SIGKILL, a second process stops
 * the PostgreSQL server on `<path>/data`, if there is one, and removes the directory.
 */
export function makeThrowAwayDirectory(prefix: string): ThrowAwayDirectory {
  const path = mkdtempSync(join(tmpdir(), prefix))
  chmodSync(path, 0o711)
  const reaper = spawn(process.execPath, [fileURLToPath(new URL('reaper.ts', import.meta.url)), path], {
    detached: true,
    env: {},
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  reaper.unref()
  // The reaper reads the end of its input when this process is gone.
  const lifeline = reaper.stdin as Socket
  lifeline.unref()
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true })
      lifeline.end()
    },
  }
}
