/** npm run backup: what it stores, what it deletes, and that nothing half done counts, whatever fails on the way. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { ObjectStore } from '@postel/db/backup/object-store'
import { chooseBackup, restore as restoreInto } from '@postel/db/backup/restore'
import { connect, type Sql } from '@postel/db/client'
import { lastBackup } from '@postel/db/queries/backups'
import { makeTenant, submitOne, type Tenant } from '@postel/db/testing/factories'
import { databaseUrl } from '@postel/db/testing/server'
import { startTestCluster, type TestCluster } from '@postel/db/testing/start-test-cluster'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { type Asked, type Fault, S3Server } from '../support/s3-server.ts'
import { waitFor } from '../support/wait-for.ts'
import { dumpableServer, type Ended, run } from './programs.ts'

const available = await dumpableServer()
if ('missing' in available) console.warn(`tests of backups skipped: ${available.missing}`)
const withDump = 'missing' in available ? test.skip : test

let directory: string
let store: S3Server
let cluster: TestCluster
let sql: Sql
let tenant: Tenant
let identity: string
let env: Record<string, string>

beforeAll(async () => {
  if ('missing' in available) return
  directory = mkdtempSync(join(tmpdir(), 'postel-backup-'))
  store = await S3Server.start()
  cluster = await startTestCluster({ binaries: available.binaries, settings: { fsync: 'off' } })
  sql = connect(cluster.url, { name: 'test', max: 2 })
  tenant = await makeTenant(sql)
  await submitOne(sql, tenant, { raw: Buffer.from(`Subject: x\r\n\r\n${'the-body '.repeat(1000)}`) })
  identity = await generateX25519Identity()
  writeFileSync(join(directory, 'key.txt'), `${identity}\n`)
  env = {
    ...store.env,
    DATABASE_URL: cluster.url,
    BACKUP_AGE_RECIPIENTS: await identityToRecipient(identity),
  }
})
afterAll(async () => {
  if ('missing' in available) return
  await sql.end({ timeout: 1 })
  await cluster.dispose()
  await store.stop()
  rmSync(directory, { recursive: true })
})
beforeEach(async () => {
  if ('missing' in available) return
  store.objects.clear()
  store.fault = () => undefined
  store.bytesPerSecond = Number.POSITIVE_INFINITY
  await sql`truncate postel.backups`
})

/** The lock of the one before goes with its connection, a moment after its end. */
const unlocked = () =>
  waitFor(async () => (await sql`select from pg_locks where locktype = 'advisory'`).length === 0, 60)
const backup = async (changes: Record<string, string> = {}) => {
  await unlocked()
  return run('backup', { ...env, ...changes })
}
const restore = (args: readonly string[], changes: Record<string, string> = {}) =>
  run('restore', { ...env, ...changes }, ['--identity', join(directory, 'key.txt'), ...args])
const records = async () => [...(await sql`select ok, error from postel.backups order by id`)]
const nothingLeft = () => expect([...store.objects.keys(), ...store.uploads.keys()]).toEqual([])

/** A directory for PATH in which this program is a shell script; `$real` is the true one. */
function fakeTool(name: string, script: string, others = process.env.PATH): string {
  const folder = mkdtempSync(join(directory, 'path-'))
  const real = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim()
  writeFileSync(join(folder, name), `#!/bin/sh\nreal=${real}\n${script}\n`)
  chmodSync(join(folder, name), 0o755)
  return `${folder}:${others}`
}

let databases = 0
async function emptyDatabase(): Promise<string> {
  const name = `target${++databases}`
  await sql.unsafe(`create database ${name} encoding utf8 locale 'C' template template0`)
  return databaseUrl(cluster.url, name)
}

function told(ended: Ended): { code: number; errors: string } {
  return { code: ended.code, errors: ended.errors.trim() }
}

withDump('stores a dump that age and pg_restore open, with a manifest that says what it is', async () => {
  expect(await backup()).toMatchObject({ code: 0, errors: '' })
  const names = [...store.objects.keys()]
  expect(names).toEqual([
    expect.stringMatching(/^postel\/postel-\d{8}T\d{6}Z-v\d+\.\d+\.\d+\.dump\.age$/),
    `${names[0]}.json`,
  ])
  const body = store.objects.get(names[0]!)!.body
  const manifest = JSON.parse(store.objects.get(names[1]!)!.body.toString())
  expect(manifest).toMatchObject({
    object: names[0],
    bytes: body.length,
    sha256: createHash('sha256').update(body).digest('hex'),
    bodies: true,
    schemaDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
    rows: { messages: 1, deliveries: 1, organizations: 1 },
  })
  expect(body.subarray(0, 22).toString()).toBe('age-encryption.org/v1\n')
  expect(await lastBackup(sql)).toMatchObject({ object: names[0], bytes: body.length, bodies: true })

  const dump = join(directory, 'opened.dump')
  expect(await restore(['--object', names[0]!, '--output', dump])).toMatchObject({ code: 0, errors: '' })
  const contents = execFileSync('pg_restore', ['--list', dump], { encoding: 'utf8' })
  expect(contents).toMatch(/TABLE DATA postel message_bodies_\d+/)
  expect(contents).not.toMatch(/TABLE DATA postel schema_versions|graphile_worker/)
  expect(statSync(dump).mode & 0o777).toBe(0o600)
  writeFileSync(join(directory, 'stored.age'), body)
  try {
    const opened = execFileSync(
      'age',
      ['-d', '-i', join(directory, 'key.txt'), join(directory, 'stored.age')],
      {
        maxBuffer: 1e9,
      },
    )
    expect(opened.equals(readFileSync(dump))).toBe(true)
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT') throw error
    console.warn('there is no age on this machine: that it opens a backup was not tested')
  }
})

withDump('can be taken by a role that only reads, also of partitions made later', async () => {
  await sql`create role saver login password 'secret' in role postel_backup`
  await sql`select postel.create_partitions(20)`
  const url = new URL(cluster.url)
  url.username = 'saver'
  url.password = 'secret'
  expect(told(await backup({ DATABASE_URL: url.href }))).toEqual({ code: 0, errors: '' })
  const reader = connect(url.href, { name: 'test', max: 1 })
  await expect(reader`delete from postel.messages`).rejects.toThrow('permission denied')
  await reader.end()
})

withDump('without bodies it is smaller, and a restore says how much mail cannot be sent', async () => {
  expect((await backup({ BACKUP_BODIES: 'false' })).code).toBe(0)
  const url = await emptyDatabase()
  const { code, output, errors } = await restore(['--object', 'latest', '--into', url])
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  expect(output).toContain('Of these, 1 have no body')
  const other = connect(url, { name: 'test', max: 1 })
  expect([...(await other`select count(*)::int as n from postel.message_bodies`)]).toEqual([{ n: 0 }])
  expect((await other`select postel.release_all()::int as n`)[0]!.n).toBe(0)
  await other.end()
})

withDump(
  'deletes what is older than it is to keep, and what killed processes left, and nothing else',
  async () => {
    const now = Date.now()
    const day = (days: number) => new Date(now - days * 86_400_000).toISOString().replace(/[-:]|\.\d+/g, '')
    const put = (name: string) =>
      store.objects.set(`postel/${name}`, { body: Buffer.from('x'), modifiedAt: new Date() })
    const name = (days: number) => `postel-${day(days)}-v0.1.0.dump.age`
    for (const days of [3, 8, 9]) {
      put(name(days))
      put(`${name(days)}.json`)
    }
    put(name(4))
    put('postel-notes.txt')
    put('other.dump.age')
    store.uploads.set('old', {
      key: `postel/${name(5)}`,
      parts: new Map(),
      startedAt: new Date(Date.now() - 5 * 86_400_000),
    })
    const kept = [name(3), `${name(3)}.json`, 'other.dump.age', 'postel-notes.txt']
    const { output } = await backup({ BACKUP_KEEP_DAYS: '7', BACKUP_KEEP_MONTHS: '0' })
    expect(output).toContain('Deleted 3 outdated backups.')
    const names = [...store.objects.keys()].map((each) => each.slice('postel/'.length))
    expect(names.filter((each) => kept.includes(each)).sort()).toEqual(kept.sort())
    expect(names).toHaveLength(kept.length + 2)
    expect(store.uploads.size).toBe(0)
  },
)

withDump('is good although what is outdated cannot be deleted, and says that', async () => {
  store.fault = ({ method, key }) => (method === 'GET' && key === '' ? 403 : undefined)
  expect((await backup()).code).toBe(0)
  expect(await records()).toEqual([
    { ok: true, error: expect.stringContaining('could not be deleted: listing') },
  ])
})

withDump('only one is taken at a time', async () => {
  const other = connect(cluster.url, { name: 'test', max: 1 })
  await other`select pg_advisory_lock(hashtext('postel.backup'))`
  expect(told(await run('backup', env))).toEqual({
    code: 3,
    errors: 'No backup: another backup of this database is being taken',
  })
  await other.end()
  expect(await records()).toEqual([])
})

type Failing = { storage?: Fault; tool?: [name: string, script: string]; changes?: Record<string, string> }

withDump.each<[string, Failing, RegExp]>([
  ['the storage refuses', { storage: 403 }, /part 1: the storage answers 403/],
  ['another is read back than was stored', { storage: 'corrupt' }, /what is read back is something else/],
  [
    'pg_dump dies on the way',
    {
      tool: [
        'pg_dump',
        'case "$1" in --version) exec "$real" "$@";; esac; "$real" "$@" | head -c 3000; echo no space >&2; exit 1',
      ],
    },
    /pg_dump has failed \(exit code 1\): no space/,
  ],
  [
    'a key is none of age',
    { changes: { BACKUP_AGE_RECIPIENTS: `age1${'q'.repeat(58)}` } },
    /not a public key of age: age1qqq/,
  ],
])('nothing is left when %s, and why is written down', async (_name, { storage, tool, changes }, message) => {
  if (storage) store.fault = ({ query }) => (query.partNumber ? storage : undefined)
  const { code, errors } = await backup({ ...changes, ...(tool && { PATH: fakeTool(...tool) }) })
  expect({ code, errors }).toEqual({ code: 1, errors: expect.stringMatching(message) })
  expect(await records()).toEqual([{ ok: false, error: expect.stringMatching(message) }])
  expect(await lastBackup(sql)).toBeUndefined()
  nothingLeft()
})

withDump('nothing is left when the manifest is there although the storage said that it is not', async () => {
  store.fault = ({ method, key }) => {
    if (method !== 'PUT' || !key.endsWith('.json')) return undefined
    store.objects.set(key, { body: Buffer.from('{}'), modifiedAt: new Date() })
    return 403
  }
  expect(told(await backup())).toEqual({
    code: 1,
    errors: expect.stringMatching(/^No backup: storing .*\.json: the storage answers 403/),
  })
  nothingLeft()
})

withDump('nothing is left when it is told to stop', async () => {
  await unlocked()
  store.bytesPerSecond = 1000
  const stop = new AbortController()
  const running = run('backup', env, [], stop.signal)
  await waitFor(() => store.uploads.size > 0, 60)
  stop.abort()
  await running
  await waitFor(async () => (await records())[0]?.ok === false, 60)
  expect(await records()).toEqual([{ ok: false, error: 'stopped by SIGTERM' }])
  await waitFor(() => store.uploads.size === 0, 60)
  nothingLeft()
})

withDump('nothing is left when it is told to stop while it checks what it has stored', async () => {
  await unlocked()
  const begun = store.asked.length
  const isReadBack = ({ method, key }: Asked) => method === 'GET' && key.endsWith('.age')
  store.fault = (asked) => (isReadBack(asked) ? 'silence' : undefined)
  const stop = new AbortController()
  const running = run('backup', { ...env, BACKUP_READ_BACK: 'true' }, [], stop.signal)
  await waitFor(() => store.asked.slice(begun).some(isReadBack), 60)
  stop.abort()
  await running
  await waitFor(async () => (await records())[0]?.ok === false, 60)
  expect(await records()).toEqual([{ ok: false, error: 'stopped by SIGTERM' }])
  nothingLeft()
})

withDump('why it failed is told although the database cannot be told any more', async () => {
  const goOn = join(directory, 'go-on')
  const script = `case "$1" in --version) exec "$real" "$@";; esac
    until [ -e ${goOn} ]; do sleep 0.05; done; echo no space >&2; exit 1`
  const running = backup({ PATH: fakeTool('pg_dump', script) })
  await waitFor(async () => (await records()).length === 1, 60)
  await sql`alter table postel.backups rename to backups_away`
  try {
    writeFileSync(goOn, '')
    const { code, output, errors } = await running
    expect({ code, errors }).toEqual({
      code: 1,
      errors: 'No backup: pg_dump has failed (exit code 1): no space\n',
    })
    expect(output).toContain('That it failed could not be written down: ')
  } finally {
    await sql`alter table postel.backups_away rename to backups`
  }
})

withDump.each([
  [
    'fails all the same, as the program says',
    'echo connection lost >&2; exit 1',
    'pg_dump has failed (exit code 1): connection lost',
  ],
  ['is good once it has the dump', 'exit 0', null],
])('a backup whose snapshot is cut off %s', async (_name, end, error) => {
  const goOn = join(mkdtempSync(join(directory, 'cut-')), 'go-on')
  const script = `case "$1" in --version) exec "$real" "$@";; esac
    "$real" "$@"; echo >${goOn}.dumped; until [ -e ${goOn} ]; do sleep 0.05; done; ${end}`
  const running = backup({ PATH: fakeTool('pg_dump', script) })
  await waitFor(() => existsSync(`${goOn}.dumped`), 60)
  await sql`
    select pg_terminate_backend(pid, 60000) from pg_stat_activity where application_name = 'postel-backup-snapshot'`
  writeFileSync(goOn, '')
  expect(told(await running)).toEqual({
    code: error === null ? 0 : 1,
    errors: error === null ? '' : `No backup: ${error}`,
  })
  expect(await records()).toEqual([{ ok: error === null, error }])
  if (error !== null) nothingLeft()
})

withDump.each([
  ['missing', { PATH: dirname(process.execPath) }, 'No backup: pg_dump is not on PATH: install PostgreSQL'],
  [
    'too old',
    { tool: 'echo "pg_dump (PostgreSQL) 9.6.1"' },
    `No backup: pg_dump 9.6.1 cannot dump a PostgreSQL `,
  ],
])('says so when pg_dump is %s', async (_name, { PATH, tool }: { PATH?: string; tool?: string }, message) => {
  const { code, errors } = await backup({ PATH: PATH ?? fakeTool('pg_dump', tool!) })
  expect({ code, errors }).toEqual({ code: 1, errors: expect.stringContaining(message) })
  nothingLeft()
})

withDump('reports all problems of its configuration at once', async () => {
  const { code, errors } = await run('backup', {
    BACKUP_KEEP_DAYS: '-1',
    BACKUP_AGE_RECIPIENTS: 'AGE-SECRET-KEY-1',
  })
  expect(code).toBe(1)
  for (const name of [
    'DATABASE_URL',
    'BACKUP_S3_ENDPOINT',
    'BACKUP_S3_BUCKET',
    'BACKUP_KEEP_DAYS',
    'BACKUP_AGE_RECIPIENTS',
  ])
    expect(errors).toContain(`  ${name}: `)
})

withDump('what cannot be restored is refused, and the database stays as it was', async () => {
  expect((await backup()).code).toBe(0)
  const [object] = store.objects.keys()
  const url = await emptyDatabase()
  const client = new ObjectStore({ ...store, endpoint: store.endpoint, pathStyle: true, retryMs: 1 })
  const refused = async (
    message: RegExp,
    { name = object!, into = url, key = identity }: { name?: string; into?: string; key?: string } = {},
  ) => {
    const attempt = async () => {
      const manifest = await chooseBackup(client, 'postel/', name)
      const env = { PATH: process.env.PATH }
      await restoreInto({ url: into, store: client, manifest, identityFile: key, env, say: () => {} })
    }
    await expect(attempt()).rejects.toThrow(message)
  }
  await refused(/^the database is not empty \(schema postel, schema graphile_worker/, { into: cluster.url })
  await refused(/^there is no backup .*--list shows/, { name: 'postel-20200101T000000Z-v1.0.0.dump.age' })
  await refused(/cannot be decrypted with this identity/, { key: await generateX25519Identity() })
  await refused(/no private key of age/, { key: 'AGE-SECRET-KEY-1NONE' })
  const worker = connect(url, { name: 'postel-worker', max: 1 })
  await worker`select 1`
  await refused(/^postel-worker is connected to the database: stop all/)
  await worker.end()
  // It is there a moment longer
  await waitFor(
    async () =>
      (await sql`select from pg_stat_activity where application_name = 'postel-worker'`).length === 0,
  )

  const manifest = store.objects.get(`${object}.json`)!
  const said = JSON.parse(manifest.body.toString())
  const change = (changes: object) =>
    store.objects.set(`${object}.json`, {
      ...manifest,
      body: Buffer.from(JSON.stringify({ ...said, ...changes })),
    })
  change({ migrations: 999, postelVersion: '9.0.0' })
  await refused(/^the backup was made by a newer version of Postel, 9\.0\.0/)
  change({ pgDumpVersion: '99.1' })
  await refused(/^pg_restore .* cannot read a dump of pg_dump 99\.1/)
  change({ postgresVersion: '99.1' })
  await refused(/^the backup is of PostgreSQL 99\.1, the target is /)
  change({})

  store.fault = ({ method, key }) => (method === 'GET' && key === object ? 'truncate' : undefined)
  await refused(/./)
  store.fault = () => undefined
  const stored = store.objects.get(object!)!
  const damaged = Buffer.from(stored.body)
  damaged[5000]! ^= 1
  store.objects.set(object!, { ...stored, body: damaged })
  await refused(/./)
  store.objects.set(object!, stored)
  // All of that has left it empty
  expect(told(await restore(['--object', object!, '--into', url]))).toEqual({ code: 0, errors: '' })
  expect((await restore(['--list'])).output).toMatch(
    /^postel\/postel-.* MB {2}with bodies {2}1 messages {2}Postel \d/,
  )
})

withDump('pg_restore 17 and newer restore into an older server all the same, through psql', async () => {
  if ('missing' in available || available.binaries.major >= 17) return
  expect((await backup()).code).toBe(0)
  const script = (setting: string) =>
    `case "$1" in --version) echo "pg_restore (PostgreSQL) 18.4"; exit;; esac
     case "$*" in *dbname*) exit 9;; esac
     "$real" "$@" | awk '/^SET lock_timeout/ { print "SET ${setting} = 0;" } { print }'`
  const refused = await emptyDatabase()
  expect(
    await restore(['--object', 'latest', '--into', refused], {
      PATH: fakeTool('pg_restore', script('other_timeout')),
    }),
  ).toMatchObject({
    code: 1,
    errors: expect.stringMatching(/^Not restored: psql has failed .*other_timeout/),
  })
  // In one transaction as well
  const PATH = fakeTool('pg_restore', script('transaction_timeout'))
  expect(told(await restore(['--object', 'latest', '--into', refused], { PATH }))).toEqual({
    code: 0,
    errors: '',
  })
})

withDump(
  'a restore through psql names the program that failed first, and leaves the database empty',
  async () => {
    if ('missing' in available || available.binaries.major >= 17) return
    expect((await backup()).code).toBe(0)
    const target = await emptyDatabase()
    const refusal = async (pgRestore: string, PATH?: string) => {
      const version = 'case "$1" in --version) echo "pg_restore (PostgreSQL) 18.4"; exit;; esac'
      return told(
        await restore(['--object', 'latest', '--into', target], {
          PATH: fakeTool('pg_restore', `${version}\n${pgRestore}`, PATH),
        }),
      )
    }
    // psql is gone before it was given anything; what pg_restore then meets is only the end of its pipe
    const gone = join(directory, 'psql-gone')
    const pgRestore = `until [ -s ${gone} ]; do sleep 0.05; done
    while kill -0 $(cat ${gone}) 2>/dev/null; do sleep 0.05; done
    while echo 'select 1;'; do :; done; exit 7`
    const psql = `case "$1" in --version) exec "$real" --version;; esac
    echo no server >&2; echo $$ >${gone}; exit 5`
    expect(await refusal(pgRestore, fakeTool('psql', psql))).toEqual({
      code: 1,
      errors: 'Not restored: psql has failed (exit code 5): no server',
    })
    // pg_restore breaks off in the middle: psql must not take that for the end, and commit
    const statements = `yes 'create table if not exists half ();' | head -n 1000; echo broken off >&2; exit 6`
    expect(await refusal(statements)).toEqual({
      code: 1,
      errors: 'Not restored: pg_restore has failed (exit code 6): broken off',
    })
    const client = connect(target, { name: 'test', max: 1 })
    expect([...(await client`select from pg_class where relname = 'half'`)]).toEqual([])
    await client.end()
  },
)

withDump('a restore into another cluster makes the roles, and needs no superuser', async () => {
  if ('missing' in available) return
  expect((await backup()).code).toBe(0)
  await using other = await startTestCluster({
    binaries: available.binaries,
    migrated: false,
    settings: { fsync: 'off' },
  })
  const admin = connect(other.url, { name: 'admin', max: 1 })
  await admin`create role owner login createrole password 'secret'`
  await admin`create database restored owner owner template template0 encoding utf8 locale 'C'`
  const url = new URL(databaseUrl(other.url, 'restored'))
  url.username = 'owner'
  url.password = 'secret'
  expect(told(await restore(['--object', 'latest', '--into', url.href]))).toEqual({ code: 0, errors: '' })
  await admin`create role app login password 'secret' in role postel_app`
  await admin.end()
  url.username = 'app'
  const app = connect(url.href, { name: 'app', max: 1 })
  const id = await submitOne(app, tenant)
  expect([...(await app`select state from postel.deliveries where message_id = ${id}`)]).toEqual([
    { state: 'queued' },
  ])
  expect([
    ...(await app`select state, recipients::int as n from postel.queue_now where recipients > 0`),
  ]).toEqual([
    { state: 'queued', n: 1 },
    { state: 'held by hold_all', n: 1 },
  ])
  await app.end()
})
