/** Who is told what of his mail, and that nobody is told twice. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { type ComposedReport, type DueReport, ReportQueries } from './queries/reports.ts'
import { Submitter } from './submitter.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { inconsistencies, makeTenant, submission, submitOne, type Tenant } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: ReportQueries
let tenant: Tenant

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 6 })
  queries = new ReportQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  tenant = await makeTenant(sql)
})

type Options = {
  notify?: string
  to?: string[]
  from?: string
  source?: string
  reports?: 'never' | 'asked' | 'failures'
  delayNoticeAfterSeconds?: number
}

/** A message of the tenant; `notify` is said for its first recipient. */
async function submit(options: Options = {}): Promise<string> {
  const { notify, to = ['a@dest.test'], from, source = 'smtp', reports, delayNoticeAfterSeconds } = options
  if (reports) await sql`update postel.projects set reports = ${reports} where id = ${tenant.projectId}`
  if (delayNoticeAfterSeconds)
    await sql`
      update postel.projects set delay_notice_after_seconds = ${delayNoticeAfterSeconds}
      where id = ${tenant.projectId}`
  const id = await submitOne(sql, tenant, { to })
  const details = notify && JSON.stringify({ dsn: { recipients: { [to[0]!]: { notify } } } })
  await sql`
    update postel.messages set details = ${details ?? null}::text::jsonb, source = ${source},
      envelope_from = coalesce(${from ?? null}, envelope_from)
    where id = ${id}`
  return id
}

/** What becomes of a recipient, as the functions that do it leave it. */
async function become(id: string, state: string, number = 1, category: string | null = null): Promise<void> {
  const outcome = { expired: 'deferred', cancelled: 'deferred' }[state] ?? state
  const final = state !== 'deferred'
  await sql`
    with gone as (
      delete from postel.queue where message_id = ${id} and ${final} and numbers = array[${number}::smallint]
    ),
    settled as (
      update postel.deliveries set state = ${state}, attempts = attempts + 1, last_reply = 'what was said'
      where message_id = ${id} and number = ${number}
      returning attempts
    ),
    tried as (
      insert into postel.attempts (
        message_id, number, attempt, at, duration_ms, outcome, in_doubt, mx_host, code, enhanced_code, category, reply
      )
      select ${id}, ${number}, s.attempts, now(), 1, ${outcome}, false, 'mx.dest.test', 550, '5.1.1', ${category},
        '550 5.1.1 nobody'
      from settled s
    )
    insert into postel.events (organization_id, message_id, number, type)
    values (${tenant.organizationId}, ${id}, ${number}, ${state})`
}

/** `final 1,2` for each report of a message that the events of the last minute, or until then, ask for. */
async function dueFor(id: string, at = new Date()): Promise<string[]> {
  const [row] = await sql<{ due: { message_id: string; kind: string; numbers: number[] }[] | null }[]>`
    select r.due
    from postel.reports_due(
      postel.uuid_v7_floor(${at}::timestamptz - interval '1 minute'),
      postel.uuid_v7_floor(${at}::timestamptz + interval '1 second'), 50000, ${at}
    ) as r`
  return (row!.due ?? [])
    .filter(({ message_id }) => message_id === id)
    .map(({ kind, numbers }) => `${kind} ${numbers}`)
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000)
const report = (): ComposedReport => ({
  raw: Buffer.from('From: x\r\n\r\nreport\r\n'),
  messageId: `<${randomBytes(8).toString('hex')}@mail.test>`,
  from: 'Mail Delivery System <MAILER-DAEMON@mail.test>',
  subject: 'Your message was not delivered',
  details: {},
})
const final = (messageId: string, ...numbers: number[]): DueReport => ({ messageId, kind: 'final', numbers })

describe('the end of a delivery is told', () => {
  const ends = ['bounced', 'expired', 'suppressed', 'delivered', 'relayed', 'cancelled', 'held'] as const
  const failures = ['bounced', 'expired', 'suppressed']
  test.each<[Options['reports'] & string, string | undefined, string[]]>([
    ['asked', undefined, []],
    ['asked', 'NEVER', []],
    ['asked', 'FAILURE', failures],
    ['asked', 'DELAY,FAILURE', failures],
    ['asked', 'SUCCESS', ['relayed']],
    ['asked', 'DELAY', []],
    ['asked', 'SUCCESS,FAILURE,DELAY', [...failures, 'relayed']],
    ['failures', undefined, failures],
    ['failures', 'NEVER', []],
    ['failures', 'SUCCESS', ['relayed']],
    ['failures', 'FAILURE', failures],
    ['never', 'SUCCESS,FAILURE,DELAY', []],
    ['never', undefined, []],
  ])('in a project with reports = %s, with NOTIFY=%s, when it is %j', async (reports, notify, told) => {
    const due: string[] = []
    for (const end of ends) {
      const id = await submit({ reports, ...(notify && { notify }) })
      await become(id, end === 'relayed' ? 'delivered' : end, 1, end === 'relayed' ? end : null)
      if ((await dueFor(id)).length > 0) due.push(end)
    }
    expect(due).toEqual(told)
  })

  test.each<[string, Options]>([
    ['to the null sender', { from: '' }],
    ['to the sender of a report', { source: 'report' }],
  ])('never %s', async (_name, options) => {
    const id = await submit({ reports: 'failures', notify: 'FAILURE', ...options })
    await become(id, 'bounced')
    expect(await dueFor(id)).toEqual([])
  })

  test('together for the recipients of a message, and only of those who asked', async () => {
    const id = await submit({ notify: 'FAILURE', to: ['a@dest.test', 'b@dest.test', 'c@other.test'] })
    for (const number of [1, 2]) await become(id, 'bounced', number)
    expect(await dueFor(id)).toEqual(['final 1'])
    await sql`update postel.projects set reports = 'failures' where id = ${tenant.projectId}`
    expect(await dueFor(id)).toEqual(['final 1,2'])
  })
})

describe('that mail is late is told', () => {
  const hours = (count: number) => inSeconds(count * 3600)

  test.each<[string, Options, number, string[]]>([
    ['after four hours, to who asked', { notify: 'DELAY' }, 4, ['delayed 1']],
    ['not before', { notify: 'DELAY' }, 3.9, []],
    ['not long after: it was told then', { notify: 'DELAY' }, 5, []],
    ['after the time of the project', { delayNoticeAfterSeconds: 3600 }, 1, ['delayed 1']],
    ['after it to who asked, too', { delayNoticeAfterSeconds: 3600, notify: 'DELAY' }, 1, ['delayed 1']],
    ['not to who did not ask, when the project has no time', {}, 4, []],
    ['not to who asked for something else', { delayNoticeAfterSeconds: 3600, notify: 'FAILURE' }, 1, []],
    ['not to who wants to hear nothing', { delayNoticeAfterSeconds: 3600, notify: 'NEVER' }, 1, []],
    ['not in a project that tells nothing', { reports: 'never', notify: 'DELAY' }, 4, []],
    ['not to the null sender', { from: '', notify: 'DELAY' }, 4, []],
    ['not to the sender of a report', { source: 'report', notify: 'DELAY' }, 4, []],
  ])('%s', async (_name, options, after, due) => {
    const id = await submit(options)
    await become(id, 'deferred')
    expect(await dueFor(id, hours(after))).toEqual(due)
  })

  test.each(['delivered', 'bounced', 'cancelled', 'held', 'scheduled'])(
    'not when it is %s',
    async (state) => {
      const id = await submit({ notify: 'DELAY' })
      await become(id, state)
      expect(await dueFor(id, hours(4))).toEqual([])
    },
  )

  test('of mail that was not tried yet, too', async () => {
    const id = await submit({ notify: 'DELAY' })
    expect(await dueFor(id, hours(4))).toEqual(['delayed 1'])
  })

  test('of mail that was scheduled, so long after it was to leave', async () => {
    const id = await submit({ delayNoticeAfterSeconds: 3600 })
    await sql`
      update postel.messages set expires_at = expires_at + interval '10 hours' where id = ${id}`
    await become(id, 'deferred')
    expect(await dueFor(id, hours(1))).toEqual([])
    const later = async (at: number) => {
      await sql`
        insert into postel.events (id, organization_id, message_id, number, type)
        values (postel.uuid_v7_floor(${hours(at)}), ${tenant.organizationId}, ${id}, 1, 'deferred')`
      return dueFor(id, hours(at))
    }
    expect([await later(10.5), await later(11.1)]).toEqual([[], ['delayed 1']])
  })

  test('once, and never after the end was told', async () => {
    const id = await submit({ delayNoticeAfterSeconds: 3600, notify: 'DELAY,FAILURE' })
    const delayed: DueReport = { messageId: id, kind: 'delayed', numbers: [1] }
    expect((await queries.store(delayed, report())).stored).toBeDefined()
    expect(await dueFor(id, hours(1))).toEqual([])
    expect((await queries.store(delayed, report())).stored).toBeUndefined()

    const other = await submit({ notify: 'DELAY,FAILURE' })
    await queries.store(final(other, 1), report())
    expect(await queries.store({ ...delayed, messageId: other }, report())).toMatchObject({
      stored: undefined,
      remaining: [],
    })
  })

  test('not when the end came while the notice was composed', async () => {
    const id = await submit({ notify: 'DELAY' })
    await become(id, 'delivered')
    expect(await queries.store({ messageId: id, kind: 'delayed', numbers: [1] }, report())).toMatchObject({
      stored: undefined,
      remaining: [],
    })
  })
})

describe('a report', () => {
  test("is a message of the original's project, from nobody, unsigned, and leaves from its pool", async () => {
    const id = await submit()
    const { stored, ipIds } = await queries.store(final(id, 1), {
      ...report(),
      details: { eight_bit: true },
    })
    const [row] = await sql`
      select m.organization_id, m.project_id, m.source, m.envelope_from, m.signing_domain, m.details, m.subject,
        q.priority, q.ip_id, q.domain, q.recipients,
        m.expires_at - m.created_at = make_interval(secs => p.expire_after_seconds) as expires
      from postel.messages m
      join postel.queue q on q.message_id = m.id
      join postel.projects p on p.id = m.project_id
      where m.id = ${stored!}`
    expect(row).toEqual({
      organization_id: tenant.organizationId,
      project_id: tenant.projectId,
      source: 'report',
      envelope_from: '',
      signing_domain: null,
      details: { eight_bit: true },
      subject: 'Your message was not delivered',
      priority: 50,
      ip_id: tenant.ips[0]!.id,
      domain: tenant.domain,
      recipients: [`a@${tenant.domain}`],
      expires: true,
    })
    expect(ipIds).toEqual([tenant.ips[0]!.id])
    expect((await inconsistencies(sql)).filter((line) => line.startsWith(stored!))).toEqual([])
  })

  test('is stored once, when many tell of the same recipients at once', async () => {
    for (let round = 0; round < 5; round++) {
      const id = await submit({ to: ['a@dest.test', 'b@dest.test'] })
      const told = await Promise.all([1, 2, 3, 4].map(() => queries.store(final(id, 1, 2), report())))
      expect(told.filter(({ stored }) => stored !== undefined)).toHaveLength(1)
      expect(told.flatMap(({ remaining }) => remaining)).toEqual([])
      const rows =
        await sql`select number, kind, report_id from postel.reports where message_id = ${id} order by 1`
      const reportId = told.find(({ stored }) => stored !== undefined)!.stored
      expect([...rows]).toEqual([1, 2].map((number) => ({ number, kind: 'final', report_id: reportId })))
    }
  })

  test('is not stored for some: it says who is left', async () => {
    const id = await submit({ to: ['a@dest.test', 'b@dest.test', 'c@dest.test'] })
    await queries.store(final(id, 2), report())
    const before = await sql`select count(*)::int as count from postel.messages`
    expect(await queries.store(final(id, 1, 2, 3), report())).toEqual({
      stored: undefined,
      remaining: [1, 3],
      ipIds: [],
    })
    expect([...(await sql`select count(*)::int as count from postel.messages`)]).toEqual([...before])
  })

  test('that cannot be stored leaves nobody told', async () => {
    const id = await submit()
    await expect(queries.store(final(id, 1), { ...report(), subject: 'a\0b' })).rejects.toThrow()
    expect([...(await sql`select from postel.reports where message_id = ${id}`)]).toEqual([])
    expect((await queries.store(final(id, 1), report())).stored).toBeDefined()
  })

  test('is forgotten after a month', async () => {
    const id = await submit({ to: ['a@dest.test', 'b@dest.test'] })
    await queries.store(final(id, 1), report())
    await queries.store(final(id, 2), report())
    await sql`
      update postel.reports set created_at = now() - interval '31 days' where message_id = ${id} and number = 1`
    await queries.forget()
    const rows = await sql`select number from postel.reports where message_id = ${id}`
    expect([...rows]).toEqual([{ number: 2 }])
  })
})

describe('the events', () => {
  const floor = async (at: Date) => {
    const [row] = await sql<{ id: string }[]>`select postel.uuid_v7_floor(${at}) as id`
    return row!.id
  }

  test('are read piece by piece, each once, up to the end and no further', async () => {
    const start = await floor(new Date())
    const ids: string[] = []
    for (let count = 0; count < 5; count++) ids.push(await submit({ notify: 'FAILURE' }))
    for (const id of ids) await become(id, 'bounced')
    const until = await floor(inSeconds(1))
    const late = await submit({ notify: 'FAILURE' })
    await sql`
      insert into postel.events (id, organization_id, message_id, number, type)
      values (postel.uuid_v7_floor(${inSeconds(2)}), ${tenant.organizationId}, ${late}, 1, 'bounced')`
    const pieces: number[] = []
    const found: string[] = []
    for (let after = start; after < until; ) {
      const { lastId, read, due } = await queries.due(after, until, 4)
      expect(lastId > after).toBe(true)
      pieces.push(read)
      found.push(...due.map(({ messageId }) => messageId))
      after = lastId
    }
    expect(found.sort()).toEqual([...ids].sort())
    expect(pieces.slice(0, -1).every((read) => read === 4)).toBe(true)
    expect(pieces.at(-1)).toBeLessThan(4)
  })

  test('of a transaction under way are announced until its end', async () => {
    const id = await submit()
    const { at, writers } = await queries.eventWriters()
    expect(writers).toEqual([])
    await sql.begin(async (tx) => {
      await tx`
        insert into postel.events (organization_id, message_id, number, type)
        values (${tenant.organizationId}, ${id}, 1, 'bounced')`
      expect((await queries.eventWriters()).writers).toHaveLength(1)
    })
    const after = await queries.eventWriters()
    expect(after.writers).toEqual([])
    expect(after.at >= at).toBe(true)
  })

  test('are not waited for because of somebody who only reads', async () => {
    await sql.begin('isolation level repeatable read', async (tx) => {
      await tx`select count(*) from postel.events`
      expect((await queries.eventWriters()).writers).toEqual([])
    })
  })

  test('are read from an hour back at first, then from the cursor, which never goes back', async () => {
    /** How long ago, to ten seconds, but for the five that a reader goes back; while this is asked it only grows. */
    const time = async (id: string) => {
      const [row] = await sql<{ ago: number }[]>`
        select extract(epoch from now() - postel.uuid_v7_time(${id}))::float8 as ago`
      return Math.floor((row!.ago - 5 + 1) / 10) * 10
    }
    expect(await time(await queries.readFrom('reports'))).toBe(3600)
    expect(await time(await queries.readFrom('reports_ahead'))).toBe(3600)
    await queries.advance('reports', await floor(inSeconds(-600)))
    await queries.advance('reports', await floor(inSeconds(-900)))
    await queries.advance('reports_ahead', await floor(inSeconds(-300)))
    expect(await time(await queries.readFrom('reports'))).toBe(600)
    expect(await time(await queries.readFrom('reports_ahead'))).toBe(300)
  })

  test('have the time of their making in their ids', async () => {
    const [row] = await sql`
      select postel.uuid_v7_time(postel.uuid_v7_floor('2026-03-01 10:20:30.456Z')) =
        '2026-03-01 10:20:30.456Z'::timestamptz as same`
    expect(row).toEqual({ same: true })
  })
})

describe('what a report says', () => {
  test('is what is known of each recipient, and what the sender gave', async () => {
    const id = await submit({ to: ['a@dest.test', 'b@dest.test'] })
    const recipients = { 'a@dest.test': { notify: 'FAILURE', orcpt: 'rfc822;x@dest.test' } }
    const details = JSON.stringify({ dsn: { ret: 'HDRS', envid: 'job', recipients } })
    await sql`update postel.messages set details = ${details}::text::jsonb where id = ${id}`
    await become(id, 'deferred')
    await become(id, 'bounced')
    const facts = await queries.facts(final(id, 1, 2))
    expect(facts).toMatchObject({
      envelopeFrom: `a@${tenant.domain}`,
      subject: 'subject',
      envelopeId: 'job',
      requireTls: false,
      whole: false,
      recipients: [
        {
          number: 1,
          recipient: 'a@dest.test',
          orcpt: 'rfc822;x@dest.test',
          state: 'bounced',
          lastAttempt: {
            outcome: 'bounced',
            code: 550,
            enhanced: '5.1.1',
            reply: '550 5.1.1 nobody',
            mx: 'mx.dest.test',
          },
        },
        { number: 2, recipient: 'b@dest.test', orcpt: null, state: 'queued', lastAttempt: null },
      ],
    })
  })

  test.each<[string, number, string, object, boolean]>([
    ['the message, when it is asked for', 10_000, 'FULL', {}, true],
    ['its beginning, when headers are asked for', 10_000, 'HDRS', {}, false],
    ['its beginning, when it is large', 300_000, 'FULL', {}, false],
    ['its beginning, when it is large and cannot be compressed', -300_000, 'FULL', {}, false],
    ['its beginning, when it is to travel over TLS alone', 10_000, 'FULL', { require_tls: true }, false],
  ])('holds %s', async (_name, bytes, ret, more, whole) => {
    const content = bytes > 0 ? 'abcd'.repeat(bytes / 4) : randomBytes(-bytes * 0.75).toString('base64')
    const header = `From: a@${tenant.domain}\r\nX-Filler: ${'y'.repeat(50_000)}\r\n\r\n`
    const submitter = new Submitter({ url: database.url, name: 'test', onStored: () => {} })
    const raw = `${header}${content}\r\n`
    const id = await submitter.submit({
      ...submission(tenant, { raw }),
      details: { dsn: { ret, recipients: {} }, ...more },
    })
    await submitter.stop()
    const facts = await queries.facts(final(id, 1))
    expect(facts!.whole).toBe(whole)
    const text = facts!.raw!.toString()
    if (whole) expect(text === raw).toBe(true)
    else expect([raw.startsWith(text), text.startsWith(header)]).toEqual([true, true])
  })

  test('does without a message whose body is not kept, and is nothing when all is gone', async () => {
    const id = await submit()
    await sql`delete from postel.message_bodies where message_id = ${id}`
    expect((await queries.facts(final(id, 1)))!.raw).toBeNull()
    await sql`delete from postel.messages where id = ${id}`
    expect(await queries.facts(final(id, 1))).toBeUndefined()
    expect(await queries.store(final(id, 1), report())).toMatchObject({ stored: undefined, remaining: [] })
    await sql`delete from postel.deliveries where message_id = ${id}`
    await sql`delete from postel.queue where message_id = ${id}`
  })
})
