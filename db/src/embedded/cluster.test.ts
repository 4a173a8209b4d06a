// Real servers in a temporary directory: that they start, stop, recover, and refuse what would harm the data.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import postgres from 'postgres'
import { makeThrowAwayDirectory, type ThrowAwayDirectory } from '../testing/throw-away-directory.ts'
import { PostgresCluster } from './cluster.ts'

let throwAway: ThrowAwayDirectory
let directory: string
let clusters: PostgresCluster[]

beforeEach(() => {
  throwAway = makeThrowAwayDirectory('postel cluster ')
  directory = throwAway.path
  clusters = []
})

afterEach(async () => {
  for (const cluster of clusters) await cluster.stop('immediate')
  throwAway.remove()
})

function makeCluster(settings = {}): PostgresCluster {
  const cluster = new PostgresCluster({
    dataDir: join(directory, 'data'),
    settings: { shared_buffers: '16MB', ...settings },
  })
  clusters.push(cluster)
  return cluster
}

async function query(url: string, text: string): Promise<unknown[]> {
  const sql = postgres(url, { max: 1 })
  try {
    return [...(await sql.unsafe(text).values())].flat()
  } finally {
    await sql.end()
  }
}

describe('a cluster', () => {
  test('starts in a path with spaces, durable, in UTF8 and UTC, and answers postgres.js and node-postgres', async () => {
    const cluster = makeCluster()
    await cluster.start()
    const settings = ['fsync', 'synchronous_commit', 'data_checksums', 'server_encoding', 'timezone']
    const values = settings.map((name) => `current_setting('${name}')`).join(', ')
    expect(await query(cluster.url, `select ${values}, current_database()`)).toEqual([
      ...['on', 'on', 'on', 'UTF8', 'UTC', 'postel'],
    ])
    for (const connectionString of [cluster.url, cluster.socketUrl]) {
      const client = new pg.Client({ connectionString })
      await client.connect()
      expect((await client.query('select current_user as name')).rows).toEqual([{ name: 'postel' }])
      await client.end()
    }
  })

  test('refuses a wrong password over TCP', async () => {
    const cluster = makeCluster()
    await cluster.start()
    const wrong = new URL(cluster.url)
    wrong.password = 'guess'
    await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
  })

  test('stops with a checkpoint although a client is connected, and keeps its URL and data', async () => {
    const cluster = makeCluster()
    await cluster.start()
    const { url } = cluster
    await query(url, 'create table kept as select 7 as n')
    const held = postgres(url, { max: 1, onnotice: () => {} })
    await held`select 1`
    const { exited } = cluster
    await cluster.stop()
    await cluster.stop()
    expect(await exited).toEqual({ code: 0, signal: null, expected: true })
    await held.end({ timeout: 0 })

    const again = makeCluster()
    await again.start()
    expect(again.url).toBe(url)
    expect(await query(url, 'select n from kept')).toEqual([7])
  })

  test('recovers what was committed before a kill -9', async () => {
    const cluster = makeCluster()
    await cluster.start()
    await query(cluster.url, 'create table kept as select 7 as n')
    await cluster.kill9()
    expect(existsSync(join(cluster.dataDir, 'postmaster.pid'))).toBe(true)
    await cluster.start()
    expect(await query(cluster.url, 'select n from kept')).toEqual([7])
  })

  test('starts although postmaster.pid names a living process of another kind', async () => {
    const cluster = makeCluster()
    await cluster.start()
    await cluster.kill9()
    const file = join(cluster.dataDir, 'postmaster.pid')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(process.pid)))
    await cluster.start()
    expect(await query(cluster.url, 'select 1')).toEqual([1])
  })

  test('tells of an end that nobody here asked for', async () => {
    const cluster = makeCluster()
    await cluster.start()
    const { exited } = cluster
    process.kill(cluster.pid!, 'SIGQUIT')
    expect(await exited).toMatchObject({ expected: false })
    expect(cluster.pid).toBeUndefined()
  })

  test('takes over from a process that died without stopping its server', async () => {
    const program = `
      import { PostgresCluster } from ${JSON.stringify(join(import.meta.dirname, 'cluster.ts'))}
      const cluster = new PostgresCluster({ dataDir: process.argv[1], settings: { shared_buffers: '16MB' } })
      await cluster.start()
      process.stdout.write(String(cluster.pid))`
    const flags = ['--no-warnings', '--input-type=module', '-e', program, join(directory, 'data')]
    const owner = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [orphan] = await once(owner.stdout, 'data')
    const cluster = makeCluster()
    await expect(cluster.start()).rejects.toMatchObject({ code: 'in_use' })
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    await cluster.start()
    expect(cluster.pid).not.toBe(Number(orphan))
    expect(await query(cluster.url, 'select 1')).toEqual([1])
  })
})

describe('a start is refused', () => {
  test('while another cluster uses the data directory', async () => {
    const cluster = makeCluster()
    await cluster.start()
    await expect(makeCluster().start()).rejects.toMatchObject({
      code: 'in_use',
      message: expect.stringContaining(`process ${process.pid}`),
    })
    expect(await query(cluster.url, 'select 1')).toEqual([1])
  })

  test('on the data of another major version', async () => {
    mkdirSync(join(directory, 'data'))
    writeFileSync(join(directory, 'data', 'PG_VERSION'), '14\n')
    await expect(makeCluster().start()).rejects.toMatchObject({
      code: 'version_mismatch',
      message: expect.stringContaining('pg_dumpall'),
    })
  })

  test('on a directory that holds something else', async () => {
    mkdirSync(join(directory, 'data'))
    writeFileSync(join(directory, 'data', 'notes.txt'), '')
    await expect(makeCluster().start()).rejects.toMatchObject({ code: 'not_ours' })
    expect(existsSync(join(directory, 'data', 'notes.txt'))).toBe(true)
  })

  test('with the reason from the log, and leaves nothing locked', async () => {
    await expect(makeCluster({ no_such_setting: 1 }).start()).rejects.toMatchObject({
      code: 'start_failed',
      message: expect.stringContaining('no_such_setting'),
    })
    await makeCluster().start()
  })
})
