/** The disk of the database fills up: mail is put off, what is there stays, and all goes on when there is room. */

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { Harness, kept } from '../ledger/harness.ts'
import { sendByRest } from '../ledger/rest-client.ts'
import { waitFor } from '../support/wait-for.ts'

/** A disk of 16 MB: a file system in memory, which only root may mount. */
function mountSmallDisk(owner: { uid: number; gid: number }): { path: string; unmount(): void } | undefined {
  const path = mkdtempSync(join(tmpdir(), 'postel-disk-'))
  const remove = () => rmdirSync(path)
  try {
    chmodSync(path, 0o711)
    const options = `size=16m,uid=${owner.uid},gid=${owner.gid},mode=0700`
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'postel-test', path], { stdio: 'ignore' })
  } catch {
    remove()
    return undefined
  }
  return {
    path,
    unmount: () => {
      execFileSync('umount', [path])
      remove()
    },
  }
}

const probe = process.getuid?.() === 0 ? mountSmallDisk({ uid: 0, gid: 0 }) : undefined
probe?.unmount()
const name = 'a full disk: 452 and 503, nothing lost, and mail flows again by itself (C-26)'

if (!probe) test.skip(`${name} [needs root, to mount a small disk]`, () => {})
else
  test(name, async () => {
    const harness = await Harness.start('disk full')
    const { sql, cluster, ledger } = harness
    const disk = mountSmallDisk(statSync(cluster.dataDir))!
    const filler = join(disk.path, 'filler')
    try {
      const api = harness.makeApp('api')
      await api.start()
      const rest = { port: harness.apiPort, key: harness.apiKey, ledger }
      await sql.unsafe(`create tablespace small location '${disk.path}'`)
      const tables = await sql<{ name: string }[]>`
        select oid::regclass::text as name from pg_class
        where relnamespace = 'postel'::regnamespace and relkind = 'r'`
      for (const table of tables) await sql.unsafe(`alter table ${table.name} set tablespace small`)

      const load = harness.load()
      await harness.flows()
      expect(await sendByRest('rest-before@d0.test', rest)).toBe(200)
      fillUp(filler)
      await waitFor(() => ledger.refusals.get('dot 452'), 30)
      let tries = 0
      await waitFor(async () => (await sendByRest(`rest-full-${tries++}@d0.test`, rest)) === 503, 30)

      rmSync(filler)
      await harness.flows(50, 30)
      expect(await sendByRest('rest-after@d0.test', rest)).toBe(200)
      await load.stop()
      await harness.drain()
      expect(await harness.judge()).toEqual(kept)
      expect([...ledger.refusals.keys()].sort()).toEqual(['dot 452', 'rest 503'])
    } finally {
      await harness.stop()
      disk.unmount()
    }
  })

function fillUp(path: string): void {
  for (const bytes of [1024 * 1024, 4096]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(bytes), { flag: 'a' })
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
    }
  }
}
