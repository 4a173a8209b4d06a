/** The group commit: few transactions, nobody pays for another's fault, and no promise without a commit. */
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { OutboundQueries } from './queries/outbound.ts'
import { Submitter, type SubmitterOptions } from './submitter.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeTenant,
  queueRow,
  stateOf,
  submission,
  type Tenant,
  unique,
  until,
} from './testing/factories.ts'
import { databaseUrl } from './testing/server.ts'

let database: TestDatabase
let sql: Sql
let open: Submitter[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
afterEach(async () => {
  await Promise.all(open.map((submitter) => submitter.stop()))
  open = []
  expect(await inconsistencies(sql)).toEqual([])
})

function makeSubmitter(options: Partial<SubmitterOptions> = {}): Submitter {
  const submitter = new Submitter({ url: database.url, name: 'test', onStored: () => {}, ...options })
  open.push(submitter)
  return submitter
}

async function messagesOf(tenant: Tenant): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from postel.messages where project_id = ${tenant.projectId}`
  return row!.count
}

async function faultOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'stored',
    (error) => `${error.name} ${error.fault}`,
  )
}

const unstorable = { subject: 'NUL \0 in it', raw: 'x\r\n' }

describe('a body comes back as it went in', () => {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  test.each([
    ['of every byte value, too short to compress', everyByte, 0],
    ['of every byte value, compressed', Buffer.concat(Array(64).fill(everyByte)), 1],
    ['that does not compress', randomBytes(100_000), 0],
    ['of a megabyte', Buffer.from('From: a@b.test\r\n'.repeat(65_536)), 1],
  ])('%s', async (_, raw, encoding) => {
    const tenant = await makeTenant(sql)
    const id = await makeSubmitter().submit(submission(tenant, { raw }))
    const [row] = await sql`
      select b.encoding, m.size_bytes from postel.message_bodies b join postel.messages m on m.id = b.message_id
      where m.id = ${id}`
    expect(row).toEqual({ encoding, size_bytes: raw.length })
    const queries = new OutboundQueries(database.url)
    try {
      const queued = await queueRow(sql, id)
      const [loaded] = await queries.load([
        { ...queued, projectId: '', domain: 'dest.test', priority: 50, sizeBytes: raw.length, messageId: id },
      ])
      expect(raw.equals(loaded!.raw)).toBe(true)
    } finally {
      await queries.stop()
    }
  })
})

test('many submissions at once join a few transactions', async () => {
  const tenant = await makeTenant(sql)
  const submitter = makeSubmitter()
  const ids = await Promise.all(Array.from({ length: 400 }, () => submitter.submit(submission(tenant))))
  expect(new Set(ids).size).toBe(400)
  const [row] = await sql<{ count: number; transactions: number }[]>`
    select count(*)::int as count, count(distinct m.xmin::text)::int as transactions
    from postel.messages m where project_id = ${tenant.projectId}`
  expect(row!.count).toBe(400)
  expect(row!.transactions).toBeLessThan(10)
})

test('each promise resolves with the id of its own message', async () => {
  const tenant = await makeTenant(sql)
  const submitter = makeSubmitter()
  const subjects = Array.from({ length: 50 }, (_, index) => `subject ${index}`)
  const ids = await Promise.all(subjects.map((subject) => submitter.submit(submission(tenant, { subject }))))
  const rows = await sql<{ subject: string }[]>`
    select m.subject from unnest(${ids}::uuid[]) with ordinality as i (id, n)
    join postel.messages m on m.id = i.id order by i.n`
  expect(rows.map((row) => row.subject)).toEqual(subjects)
})

test('a message is committed before its promise resolves', async () => {
  const tenant = await makeTenant(sql)
  const submitter = makeSubmitter()
  await submitter.submit(submission(tenant))
  expect(await messagesOf(tenant)).toBe(1)
})

test("a database's default of asynchronous commit does not reach the writers", async () => {
  const tenant = await makeTenant(sql)
  await sql.unsafe(`alter database ${database.name} set synchronous_commit = off`)
  await sql`
    create function public.note_commit() returns trigger language plpgsql as $$
    begin
      insert into public.commits values (current_setting('application_name'), current_setting('synchronous_commit'));
      return null;
    end
    $$`
  try {
    await sql`create table public.commits (name text, setting text)`
    await sql`
      create trigger note after insert on postel.messages for each statement execute function public.note_commit()`
    const submitter = makeSubmitter()
    await submitter.submit(submission(tenant))
    await submitter.submitAll([submission(tenant)])
    expect([...(await sql`select * from public.commits order by name desc`)]).toEqual([
      { name: 'test-writer', setting: 'on' },
      { name: 'test-once', setting: 'on' },
    ])
  } finally {
    await sql`drop function public.note_commit cascade`
    await sql.unsafe(`alter database ${database.name} reset synchronous_commit`)
  }
})

test('one message that cannot be stored fails alone', async () => {
  const tenant = await makeTenant(sql)
  const foreign = await makeTenant(sql)
  const submitter = makeSubmitter()
  const results = await Promise.all(
    Array.from({ length: 60 }, (_, index) => {
      const wrong = index === 17 ? unstorable : index === 42 ? { projectId: foreign.projectId } : {}
      return faultOf(submitter.submit(submission(tenant, wrong)))
    }),
  )
  expect(results.flatMap((result, index) => (result === 'stored' ? [] : [`${index} ${result}`]))).toEqual([
    '17 SubmitError data',
    '42 SubmitError data',
  ])
  expect(await messagesOf(tenant)).toBe(58)
})

test('what is stored is announced: the IPs with work, and when scheduled mail is due', async () => {
  const tenant = await makeTenant(sql)
  const heard: unknown[] = []
  const submitter = makeSubmitter({ onStored: (ipIds, due) => heard.push({ ipIds, due }) })
  const sendAt = new Date(Date.now() + 3_600_000)
  await submitter.submit(submission(tenant))
  await submitter.submit(submission(tenant, { sendAt }))
  await submitter.submitAll([submission(tenant), submission(tenant)])
  const work = { ipIds: [tenant.ips[0]!.id], due: [] }
  expect(heard).toEqual([work, { ipIds: [], due: [sendAt] }, work])
})

test('submitAll stores all or none', async () => {
  const tenant = await makeTenant(sql)
  const submitter = makeSubmitter()
  const ids = await submitter.submitAll([submission(tenant), submission(tenant)])
  expect(ids).toHaveLength(2)
  const failed = submitter.submitAll([submission(tenant), submission(tenant, unstorable), submission(tenant)])
  expect(await faultOf(failed)).toBe('SubmitError data')
  expect(await messagesOf(tenant)).toBe(2)
})

describe('when the database is away', () => {
  let away: TestDatabase
  let admin: Sql
  let tenant: Tenant

  beforeAll(async () => {
    away = await createTestDatabase()
    admin = connect(databaseUrl(away.url, 'postgres'), { name: 'admin', max: 1 })
    const setUp = connect(away.url, { name: 'test', max: 1 })
    tenant = await makeTenant(setUp)
    await setUp.end({ timeout: 1 })
  })
  afterAll(async () => {
    await admin.end({ timeout: 1 })
    await away.drop()
  })

  const go = async () => {
    await admin.unsafe(`alter database ${away.name} allow_connections false`)
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${away.name}`
  }
  const comeBack = () => admin.unsafe(`alter database ${away.name} allow_connections true`)

  test('a submission is refused as unavailable, and the next one succeeds when it is back', async () => {
    const submitter = makeSubmitter({ url: away.url })
    await submitter.submit(submission(tenant))
    await go()
    const once = () => submitter.submitOnce('key', Buffer.from('hash'), [submission(tenant)])
    expect(await faultOf(submitter.submit(submission(tenant)))).toBe('SubmitError unavailable')
    expect(await faultOf(submitter.submitAll([submission(tenant)]))).toBe('SubmitError unavailable')
    expect(await faultOf(once())).toBe('SubmitError unavailable')
    await comeBack()
    expect(await faultOf(submitter.submit(submission(tenant)))).toBe('stored')
    expect(await faultOf(submitter.submitAll([submission(tenant)]))).toBe('stored')
    expect(await faultOf(once())).toBe('stored')
  })

  test('a batch whose connection breaks on its way fails, and the next one is stored', async () => {
    const submitter = makeSubmitter({ url: away.url, name: 'cut', writers: 1 })
    const blocker = connect(away.url, { name: 'blocker', max: 1 })
    const blocked = async () => {
      const [row] = await admin<{ count: number }[]>`
        select count(*)::int as count from pg_stat_activity
        where application_name = 'cut-writer' and wait_event_type = 'Lock'`
      return row!.count > 0
    }
    const sent: Promise<string>[] = []
    await blocker.begin(async (tx) => {
      await tx`lock table postel.messages in access exclusive mode`
      for (let count = 0; count < 5; count++) sent.push(faultOf(submitter.submit(submission(tenant))))
      await until(blocked)
      await admin`
        select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cut-writer'`
      expect(await sent[0]).toBe('SubmitError unavailable')
    })
    await blocker.end({ timeout: 1 })
    expect(await Promise.all(sent)).toEqual(['SubmitError unavailable', ...Array(4).fill('stored')])
  })
})

test('a statement that takes too long is given up, and nothing of it is stored', async () => {
  const tenant = await makeTenant(sql)
  const submitter = makeSubmitter({ statementTimeoutMs: 3_000 })
  const failure = await sql.begin(async (tx) => {
    await tx`lock table postel.messages in access exclusive mode`
    return faultOf(submitter.submit(submission(tenant)))
  })
  expect(failure).toBe('SubmitError unavailable')
  expect(await messagesOf(tenant)).toBe(0)
  expect(await faultOf(submitter.submit(submission(tenant)))).toBe('stored')
})

test('memory is bounded: what cannot wait for the database is refused as overloaded', async () => {
  const tenant = await makeTenant(sql)
  const submitter = makeSubmitter()
  const raw = randomBytes(32 * 1024 * 1024)
  const results = await sql.begin(async (tx) => {
    await tx`lock table postel.messages in access exclusive mode`
    // Eight of 32 MiB are as much as is held
    const sent = Array.from({ length: 11 }, () => faultOf(submitter.submit(submission(tenant, { raw }))))
    const last = await sent[10]
    const stopped = submitter.stop()
    await until(async () => {
      const [row] = await tx<{ count: number }[]>`
        select count(*)::int as count from pg_stat_activity
        where application_name = 'test-writer' and datname = current_database() and wait_event_type = 'Lock'`
      await tx`select pg_stat_clear_snapshot()`
      return row!.count === 2
    })
    await tx`
      select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'test-writer' and datname = current_database()`
    await stopped
    return [last, ...(await Promise.all(sent.slice(0, 10)))]
  })
  expect(results.sort()).toEqual([
    ...Array(3).fill('SubmitError overloaded'),
    ...Array(8).fill('SubmitError unavailable'),
  ])
})

test('a stop finishes what is being written and refuses the rest', async () => {
  const tenant = await makeTenant(sql)
  const submitter = makeSubmitter({ name: 'stopped', writers: 1 })
  const { first, stopping } = await sql.begin(async (tx) => {
    await tx`lock table postel.messages in access exclusive mode`
    const writing = faultOf(submitter.submit(submission(tenant)))
    await until(async () => {
      await tx`select pg_stat_clear_snapshot()`
      const [row] = await tx<{ count: number }[]>`
        select count(*)::int as count from pg_stat_activity
        where application_name = 'stopped-writer' and datname = current_database() and wait_event_type = 'Lock'`
      return row!.count === 1
    })
    const rest = Array.from({ length: 9 }, () => faultOf(submitter.submit(submission(tenant))))
    const stop = submitter.stop()
    expect(await Promise.all(rest)).toEqual(Array(9).fill('SubmitError unavailable'))
    return { first: writing, stopping: stop }
  })
  await stopping
  expect(await first).toBe('stored')
  expect(await messagesOf(tenant)).toBe(1)
  expect(await faultOf(submitter.submit(submission(tenant)))).toBe('SubmitError unavailable')
})

describe('under an idempotency key', () => {
  const hash = (text: string) => createHash('sha256').update(text).digest()

  test('fifty callers at once make one message, and all get its id', async () => {
    const tenant = await makeTenant(sql)
    // Each submitter has a connection of its own
    const submitters = Array.from({ length: 5 }, () => makeSubmitter())
    const key = unique('key')
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        submitters[index % 5]!.submitOnce(key, hash('request'), [submission(tenant)]),
      ),
    )
    expect(outcomes.filter(({ outcome }) => outcome === 'stored')).toHaveLength(1)
    expect(outcomes.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(49)
    expect(new Set(outcomes.flatMap((outcome) => ('ids' in outcome ? outcome.ids : []))).size).toBe(1)
    expect(await messagesOf(tenant)).toBe(1)
  })

  test('another request is a conflict, and stores nothing', async () => {
    const tenant = await makeTenant(sql)
    const submitter = makeSubmitter()
    await submitter.submitOnce('key', hash('one'), [submission(tenant)])
    expect(await submitter.submitOnce('key', hash('two'), [submission(tenant)])).toEqual({
      outcome: 'conflict',
    })
    expect(await messagesOf(tenant)).toBe(1)
  })

  test("another project's use of the key does not matter", async () => {
    const [one, two] = [await makeTenant(sql), await makeTenant(sql)]
    const submitter = makeSubmitter()
    await submitter.submitOnce('key', hash('one'), [submission(one)])
    expect(await submitter.submitOnce('key', hash('two'), [submission(two)])).toMatchObject({
      outcome: 'stored',
    })
  })

  test('a request that could not be stored leaves the key free', async () => {
    const tenant = await makeTenant(sql)
    const submitter = makeSubmitter()
    expect(await faultOf(submitter.submitOnce('key', hash('x'), [submission(tenant, unstorable)]))).toBe(
      'SubmitError data',
    )
    const { ids } = (await submitter.submitOnce('key', hash('x'), [submission(tenant)])) as { ids: string[] }
    expect(await stateOf(sql, ids[0]!)).toMatchObject({ deliveries: ['1 queued'] })
  })

  test('several messages are one request', async () => {
    const tenant = await makeTenant(sql)
    const submitter = makeSubmitter()
    const both = [submission(tenant), submission(tenant)]
    const first = await submitter.submitOnce('key', hash('x'), both)
    expect(first).toMatchObject({ outcome: 'stored', ids: [expect.any(String), expect.any(String)] })
    expect(await submitter.submitOnce('key', hash('x'), both)).toEqual({ ...first, outcome: 'repeated' })
  })

  test('the key is free again after a day', async () => {
    const tenant = await makeTenant(sql)
    const submitter = makeSubmitter()
    await submitter.submitOnce('key', hash('one'), [submission(tenant)])
    await sql`
      update postel.idempotency_keys set created_at = created_at - interval '24 hours 1 second'
      where project_id = ${tenant.projectId}`
    expect(await submitter.submitOnce('key', hash('two'), [submission(tenant)])).toMatchObject({
      outcome: 'stored',
    })
  })
})
