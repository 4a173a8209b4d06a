/** Bulk operations: chunk by chunk, in order, whatever else moves the mail, and after a crash. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import postgres from 'postgres'
import { connect, type Sql } from './client.ts'
import { MaintenanceQueries } from './queries/maintenance.ts'
import { type Chunk, OperationQueries } from './queries/operations.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { inconsistencies, makeTenant, stateOf, submitOne, type Tenant, until } from './testing/factories.ts'

const many = 10_500

let database: TestDatabase
let sql: Sql
let operations: OperationQueries
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 5 })
  operations = new OperationQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  tenant = await makeTenant(sql, { ips: 2 })
})
afterEach(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql`
    truncate postel.waiting, postel.queue, postel.deliveries, postel.events, postel.operations, postel.outbound_processes`
  await sql`delete from graphile_worker._private_jobs`
})

/** Queues messages without bodies, over both IPs. */
async function fill(count: number): Promise<void> {
  await sql`
    with ids as materialized (select postel.uuid_v7() as id, n from generate_series(1, ${count}) as n),
    m as (
      insert into postel.messages (
        id, expires_at, organization_id, project_id, size_bytes, recipient_count, source, envelope_from, message_id_header,
        header_from, subject
      )
      select id, now() + interval '1 day', ${tenant.organizationId}, ${tenant.projectId}, 100, 1, 'sql', '', '', '', ''
      from ids
    ),
    d as (
      insert into postel.deliveries (message_id, number, state, updated_at, recipient, domain)
      select id, 1, 'queued', now(), 'r' || n || '@dest.test', 'dest.test' from ids
    )
    insert into postel.queue (
      ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id, organization_id, project_id, queued_at,
      domain, numbers, recipients
    )
    select case n % 2 when 0 then ${tenant.ips[0]!.id}::int else ${tenant.ips[1]!.id}::int end, 50, 0, 0, 100,
      now() + interval '1 day', id, ${tenant.organizationId}, ${tenant.projectId}, now(), 'dest.test', '{1}',
      array['r' || n || '@dest.test']
    from ids`
}

const states = async () =>
  Object.fromEntries(
    (
      await sql<{ state: string; count: number }[]>`
        select state, count(*)::int as count from postel.deliveries group by state`
    ).map((row) => [row.state, row.count]),
  )

/** Does one chunk; how many recipients it changed, undefined when nothing was to be done. */
async function step(
  window?: number,
): Promise<{ id: string; recipients: number; ipIds: number[] } | undefined> {
  const claim = await operations.claim(window)
  if (claim.busy || claim.stalled || claim.finished || claim.id === null) return undefined
  return { id: claim.id, ...(await operations.run(claim)) }
}

/** Runs chunks until no operation is left; what each changed. */
async function run(onChunk: (chunk: Chunk) => void = () => {}): Promise<number[]> {
  const chunks: number[] = []
  for (let window: number | undefined; ; ) {
    const claim = await operations.claim(window)
    if (claim.busy || claim.stalled || claim.finished) continue
    if (claim.id === null) return chunks
    const chunk = await operations.run(claim)
    onChunk(chunk)
    chunks.push(chunk.recipients)
    window = chunk.nextWindow
  }
}

const hold = async () =>
  (await sql`select postel.hold(project => ${tenant.projectName})::int as count`)[0]!.count as number

test('up to 10,000 rows are done when the call returns', async () => {
  await fill(10_000)
  expect(await hold()).toBe(10_000)
  expect(await states()).toEqual({ held: 10_000 })
  expect(await run()).toEqual([])
})

describe('more than 10,000 rows', () => {
  test('are left to the worker, and the notice says where to look', async () => {
    await fill(many)
    const notices: postgres.Notice[] = []
    const person = postgres(database.url, { max: 1, onnotice: (notice) => notices.push(notice) })
    const [row] = await person`select postel.hold(project => ${tenant.projectName})::int as count`
    await person.end()
    expect(row!.count).toBe(many)
    expect(notices.map(({ message, hint }) => ({ message, hint }))).toEqual([
      {
        message: expect.stringMatching(/^operation \d+ goes on in the background with 10500 recipients$/),
        hint: expect.stringContaining('postel.operations_now'),
      },
    ])
    expect(await states()).toEqual({ queued: many })
    const jobs = await sql`select task_identifier, key from graphile_worker.jobs`
    expect([...jobs]).toEqual([{ task_identifier: 'operations', key: 'operations' }])
    const [now] = await sql`select state, matched::int, done::int from postel.operations_now`
    expect(now).toEqual({ state: 'running', matched: many, done: 0 })
  })

  test('are changed in chunks of at most 5,000, each committed', async () => {
    await fill(many)
    await hold()
    const chunk = await step()
    expect(chunk!.recipients).toBeGreaterThan(1_000)
    expect(await states()).toEqual({ held: chunk!.recipients, queued: many - chunk!.recipients })
    const rest = await run()
    expect([chunk!.recipients, ...rest].reduce((sum, count) => sum + count)).toBe(many)
    expect(Math.max(chunk!.recipients, ...rest)).toBeLessThanOrEqual(5_000)
    const [now] = await sql`select state, matched::int, done::int from postel.operations_now`
    expect(now).toEqual({ state: 'finished', matched: many, done: many })
    const [events] = await sql`select count(*)::int as held from postel.events where type = 'held'`
    expect(events!.held).toBe(many)
  })

  test.each(['hold', 'cancel', 'bounce'] as const)(
    'are all met by %s, though they are deferred, released and requeued meanwhile',
    async (verb) => {
      await fill(many)
      await sql.unsafe(`select postel.${verb}(project => '${tenant.projectName}')`)
      await step()
      // What is left in the queue is deferred and due again, so all of it gets new ids behind the cursors
      await sql`
        with gone as (delete from postel.queue returning *),
        settled as (
          update postel.deliveries d set state = 'deferred' from gone g where d.message_id = g.message_id
        )
        insert into postel.waiting (
          state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id,
          organization_id, project_id, domain, numbers, recipients
        )
        select 'deferred', now(), '451 later', ip_id, priority, 1, lost_holders, size_bytes, expires_at, message_id,
          organization_id, project_id, domain, numbers, recipients
        from gone`
      await step()
      await step(100_000)
      await new MaintenanceQueries(sql).releaseDue(2_000)
      await run()
      expect(await states()).toEqual({
        [{ hold: 'held', cancel: 'cancelled', bounce: 'bounced' }[verb]]: many,
      })
    },
  )

  test('and nothing that was submitted after the call', async () => {
    await fill(many)
    await hold()
    await step()
    const later = await submitOne(sql, tenant)
    await run()
    expect(await states()).toEqual({ held: many, queued: 1 })
    expect((await stateOf(sql, later)).deliveries).toEqual(['1 queued'])
  })

  test('operations follow each other as they were asked for', async () => {
    await fill(many)
    await hold()
    await sql`select postel.cancel(domain => 'dest.test')`
    await fill(1)
    await run()
    expect(await states()).toEqual({ cancelled: many, queued: 1 })
    const rows = await sql`select verb, state from postel.operations_now`
    expect([...rows]).toEqual([
      { verb: 'cancel', state: 'finished' },
      { verb: 'hold', state: 'finished' },
    ])
  })

  test('release puts all back into the queue, each on its IP, and says which IPs have work', async () => {
    await fill(many)
    await hold()
    await run()
    await sql`update postel.waiting set not_before = now() - interval '1 minute'`
    const before = await sql`select message_id, ip_id from postel.waiting order by message_id`
    await sql`select postel.release(project => ${tenant.projectName})`
    const ipIds = new Set<number>()
    await run((chunk) => {
      for (const id of chunk.ipIds) ipIds.add(id)
    })
    expect(await states()).toEqual({ queued: many })
    expect([...ipIds].sort()).toEqual(tenant.ips.map((ip) => ip.id).sort())
    expect([...(await sql`select message_id, ip_id from postel.queue order by message_id`)]).toEqual([
      ...before,
    ])
  })

  test('the claims of a round cover every row once, however far apart their ids are', async () => {
    await fill(many)
    for (const gap of [1, 25_000, 79_000, 300_000]) {
      await sql`select setval('postel.queue_id_seq', nextval('postel.queue_id_seq') + ${gap})`
      await fill(3)
    }
    await hold()
    const claims: { from: number; to: number; phase: number | null }[] = []
    for (let claim = await operations.claim(); claim.source === 'queue'; claim = await operations.claim())
      claims.push({ from: Number(claim.afterId) + 1, to: Number(claim.toId), phase: claim.phase })
    const rows = await sql<{ id: number }[]>`select id::int from postel.queue order by id`
    const times = rows.map(
      ({ id }) => claims.filter(({ from, to, phase }) => id >= from && id <= to && id % 4 === phase).length,
    )
    expect(times).toEqual(rows.map(() => 1))
    await run()
    expect(await states()).toEqual({ held: rows.length })
  })

  test('three runners are at it at a time, and a fourth leaves it to them', async () => {
    await fill(many)
    await hold()
    const others = Array.from({ length: 3 }, () => postgres(database.url, { max: 1 }))
    const release = Promise.withResolvers<void>()
    const started: Promise<void>[] = []
    const running = others.map((other) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      started.push(promise)
      return other.begin(async (tx) => {
        await tx`select pg_advisory_xact_lock_shared(hashtext('postel.run_chunk'))`
        resolve()
        await release.promise
      })
    })
    await Promise.all(started)
    expect(await operations.claim()).toMatchObject({ id: null, busy: true })
    release.resolve()
    await Promise.all(running)
    for (const other of others) await other.end()
    await run()
    expect(await states()).toEqual({ held: many })
  })

  test('a chunk that died is done again by whoever comes next', async () => {
    await fill(many)
    await hold()
    // The first dies after its claim, the second while it works
    await operations.claim()
    const claim = await operations.claim()
    const victim = postgres(database.url, { max: 1 })
    await victim
      .begin(async (tx) => {
        const { id, source, afterId, toId, phase } = claim
        await tx`select postel.run_chunk(${id}, ${source}, ${afterId}, ${toId}, ${phase})`
        throw new Error('dies')
      })
      .catch(() => {})
    await victim.end()
    expect(await states()).toEqual({ queued: many })
    await run()
    expect(await states()).toEqual({ held: many })
  })

  test('run_operations does it from psql, committing as it goes', async () => {
    await fill(many)
    await hold()
    const person = postgres(database.url, { max: 1, onnotice: () => {} })
    await person.unsafe('call postel.run_operations()')
    await person.end()
    expect(await states()).toEqual({ held: many })
  })

  test('stop_operation ends it where it is', async () => {
    await fill(many)
    await hold()
    const { id, recipients } = (await step())!
    const [row] = await sql`select postel.stop_operation(${id}::bigint)::int as done`
    expect(row!.done).toBe(recipients)
    expect(await run()).toEqual([])
    expect(await states()).toEqual({ held: recipients, queued: many - recipients })
    await expect(sql`select postel.stop_operation(${id}::bigint)`).rejects.toThrow('does not run')
  })
})

describe('rows that others have locked', () => {
  /** Holds the row locks of some queue rows until it is told to let go. */
  async function lockSome(rows: number): Promise<() => Promise<void>> {
    const other = postgres(database.url, { max: 1 })
    const locked = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const transaction = other.begin(async (tx) => {
      await tx`select from postel.queue order by id limit ${rows} for update`
      locked.resolve()
      await release.promise
    })
    await locked.promise
    return async () => {
      release.resolve()
      await transaction
      await other.end()
    }
  }

  test('are not waited for: the rest is done, and they are met later', async () => {
    await fill(100)
    const unlock = await lockSome(3)
    expect(await hold()).toBe(100)
    expect(await states()).toEqual({ held: 97, queued: 3 })
    let stalled = 0
    for (let round = 0; round < 20; round++) {
      const claim = await operations.claim()
      if (claim.stalled) stalled++
      else if (claim.source) expect((await operations.run(claim)).recipients).toBe(0)
      expect(claim.finished).toBe(false)
    }
    expect(stalled).toBeGreaterThan(1)
    await unlock()
    await run()
    expect(await states()).toEqual({ held: 100 })
  })
})

test('nothing is lost or doubled while outcomes, releases and several runners work on the same rows', async () => {
  await fill(many)
  await hold()
  const maintenance = new MaintenanceQueries(sql)
  let done = false
  const record = async (): Promise<boolean> => {
    const rows = await sql<{ id: string; ip: number; m: string }[]>`
      select id::text, ip_id as ip, message_id as m from postel.queue order by random() limit 50`
    if (rows.length === 0) return false
    const tried = rows.map((row, index) => ({
      ...row,
      id: Number(row.id),
      at: 0,
      ms: 1,
      doubt: false,
      n: [1],
      o: [index % 2 ? 'delivered' : 'deferred'],
      c: [250],
      e: [null],
      k: [null],
      t: ['reply'],
    }))
    await sql`select postel.record_outcomes(${JSON.stringify(tried)}::text::json)`
    return true
  }
  const outcomes = async () => {
    while (!done) if (!(await record())) return
  }
  const releases = async () => {
    while (!done) {
      await sql`update postel.waiting set not_before = now() where state = 'deferred' and id % 7 = 0`.catch(
        () => {},
      )
      await maintenance.releaseDue(500)
    }
  }
  // One at least before the runners have all of it
  await record()
  const work = Promise.all([outcomes(), releases()])
  await Promise.all([run(), run(), run()])
  done = true
  await work
  const result = await states()
  expect(result.held! + result.delivered!).toBe(many)
  expect(result.delivered).toBeGreaterThan(0)
  await until(async () => (await run()).length === 0)
})
