// Senders are told what became of their mail: those who asked, once, by mail that programs can read.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { Publisher } from '@postel/db/bus/publisher'
import { ReportQueries } from '@postel/db/queries/reports'
import { tellSenders } from '@postel/worker/tasks/reports'
import type { TaskContext } from '@postel/worker/tasks/task'
import type { MxScript, MxTransaction } from '../support/fake-mx.ts'
import { message, type Postel } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System
let postel: Postel
let publisher: Publisher
let context: TaskContext
const faults: unknown[] = []
const defaultExtensions = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES']

beforeAll(async () => {
  // The senders' mail goes to the second server, so that the first is all about the recipients; the third can report
  system = await startSystem({
    mx: [{}, {}, { extensions: ['DSN'] }],
    zones: { 'example.test': { MX: [[10, 'mx2.remote.test']] } },
  })
  postel = system.postel
  publisher = new Publisher(postel.databaseUrl, 'test', (error) => faults.push(error))
  context = {
    config: { POSTEL_HOSTNAME: 'mail.postel.test' },
    reports: new ReportQueries(postel.sql),
    publisher,
    events: { reported: () => {}, reportFailed: (_: string, error: unknown) => faults.push(error) },
  } as unknown as TaskContext
})

beforeEach(async () => {
  faults.length = 0
  system.mxs[1]!.script = {}
  await postel.sql`
    update postel.projects
    set reports = 'asked', delay_notice_after_seconds = null, expire_after_seconds = 259200`
})

afterAll(async () => {
  await publisher.stop()
  await system.stop()
})

let senders = 0

type Mail = {
  from?: string
  mail?: string
  to: Record<string, string>
  data?: string
  script?: MxScript
  via?: string
}

/** Submits to recipients of a new domain, each with its parameters, and waits until each was tried. */
async function send({ from, mail = '', to, data = message(), script = {}, via = 'mx1' }: Mail) {
  const domain = system.freshDomain()
  system.dns.zones[domain] = { MX: [[10, `${via}.remote.test`]] }
  const sender = from ?? `sender-${++senders}@example.test`
  const rcpt = Object.fromEntries(
    Object.entries((script.rcpt ?? {}) as Record<string, string>).map(([name, step]) => [
      `${name}@${domain}`,
      step,
    ]),
  )
  system.mx.script = { extensions: defaultExtensions, ...script, rcpt }
  const client = await postel.session()
  await client.say(`MAIL FROM:<${sender}>${mail}`, 250)
  for (const [name, parameters] of Object.entries(to))
    await client.say(`RCPT TO:<${name}@${domain}>${parameters}`, 250)
  await client.say('DATA', 354)
  client.write(`${data}.\r\n`)
  const id = /queued as (\S+)/.exec(await client.expect(250))![1]!
  client.destroy()
  await postel.settled(id)
  return { id, sender, domain }
}

/** What the sender's server got for him, once all reports that are stored have left. */
async function reportsTo(sender: string): Promise<MxTransaction[]> {
  await tellSenders(context)
  expect(faults).toEqual([])
  return received(sender)
}

async function received(sender: string): Promise<MxTransaction[]> {
  await waitFor(async () => {
    const [row] = await postel.sql`
      select count(*) filter (where d.state = 'delivered') = count(*) as sent
      from postel.messages m join postel.deliveries d on d.message_id = m.id
      where m.source = 'report'`
    return row!.sent as boolean
  })
  return system.mxs[1]!.messages.filter(({ to }) => to.includes(sender))
}

/** `name: action status` of each recipient, in order. */
function verdicts({ content }: MxTransaction): string[] {
  const status = content.split('Content-Type: message/delivery-status')[1]!
  return [...status.matchAll(/^Final-Recipient: rfc822; (.+)@.+\r\nAction: (.+)\r\nStatus: (.+)\r$/gm)].map(
    ([, name, action, code]) => `${name}: ${action} ${code}`,
  )
}

test('a sender that asks is told once that his mail bounced, by a mail from nobody', async () => {
  const { sender } = await send({
    mail: ' RET=HDRS ENVID=job+2B7',
    to: { a: ' NOTIFY=FAILURE ORCPT=rfc822;old@dest.test' },
    script: { rcpt: { a: '550 5.1.1 nobody of that name' } },
  })
  const [report, ...more] = await reportsTo(sender)
  expect(more).toEqual([])
  expect(report!.from).toBe('')
  expect(verdicts(report!)).toEqual(['a: failed 5.1.1'])
  const { content } = report!
  expect(content).toMatch(/^From: Mail Delivery System <MAILER-DAEMON@mail\.postel\.test>\r$/m)
  expect(content).toMatch(new RegExp(`^To: <${sender}>\r$`, 'm'))
  expect(content).toMatch(/^Original-Envelope-Id: job\+7\r$/m)
  expect(content).toMatch(/^Original-Recipient: rfc822;old@dest\.test\r$/m)
  expect(content).toMatch(/^Diagnostic-Code: smtp; 550 5\.1\.1 nobody of that name\r$/m)
  expect(content).toMatch(/^Remote-MTA: dns; mx1\.remote\.test\r$/m)
  expect(content).toContain('Content-Type: text/rfc822-headers\r\n')
  expect(content).not.toContain('Hello')
  expect(await reportsTo(sender)).toHaveLength(1)
})

test('recipients that end together share a report, and each gets what he asked for', async () => {
  const { sender } = await send({
    to: {
      a: ' NOTIFY=FAILURE',
      b: ' NOTIFY=SUCCESS,FAILURE',
      c: ' NOTIFY=NEVER',
      d: '',
      e: ' NOTIFY=SUCCESS',
    },
    script: {
      rcpt: {
        a: '550 5.1.1 nobody',
        c: '550 5.1.1 nobody',
        d: '550 5.1.1 nobody',
        e: '550 5.1.1 nobody',
      },
    },
  })
  expect((await reportsTo(sender)).map(verdicts)).toEqual([['a: failed 5.1.1', 'b: relayed 2.0.0']])
})

test('a server that can report success does so itself: it is asked, and we say nothing', async () => {
  const { sender, domain } = await send({
    mail: ' RET=FULL ENVID=a+2Bb',
    to: { a: ' NOTIFY=SUCCESS ORCPT=rfc822;x+3Dy@dest.test' },
    via: 'mx3',
  })
  expect(await reportsTo(sender)).toEqual([])
  expect(system.mxs[2]!.messages.at(-1)!.commands).toEqual([
    expect.stringMatching(/^MAIL FROM:<.+> RET=FULL ENVID=a\+2Bb/),
    `RCPT TO:<a@${domain}> NOTIFY=SUCCESS ORCPT=rfc822;x+3Dy@dest.test`,
  ])
})

describe('nobody is told', () => {
  const script = { rcpt: { a: '550 5.1.1 nobody' } }

  test.each<[string, Mail, 'asked' | 'failures' | 'never']>([
    ['who did not ask', { to: { a: '' }, script }, 'asked'],
    ['who wants to hear nothing', { to: { a: ' NOTIFY=NEVER' }, script }, 'failures'],
    ['in a project that tells nothing', { to: { a: ' NOTIFY=FAILURE' }, script }, 'never'],
    ['of success, who asked for failures', { to: { a: ' NOTIFY=FAILURE' } }, 'failures'],
  ])('%s', async (_name, mail, reports) => {
    await postel.sql`update postel.projects set reports = ${reports}`
    const { sender } = await send(mail)
    expect(await reportsTo(sender)).toEqual([])
  })

  test('when the sender is null (D-29)', async () => {
    await postel.sql`update postel.projects set reports = 'failures'`
    const { id } = await send({ from: '', to: { a: ' NOTIFY=FAILURE' }, script })
    await reportsTo('')
    expect([...(await postel.sql`select from postel.reports where message_id = ${id}`)]).toEqual([])
  })

  test('of a report that bounces (D-29)', async () => {
    await postel.sql`update postel.projects set reports = 'failures'`
    const { sender } = await send({ to: { a: '' }, script })
    system.mxs[1]!.script = { rcpt: { [sender]: '550 5.1.1 the sender is gone, too' } }
    await tellSenders(context)
    const report = await waitFor(async () => {
      const [row] = await postel.sql`
        select d.message_id from postel.deliveries d
        where d.recipient = ${sender} and d.state = 'bounced'`
      return row?.message_id as string | undefined
    })
    await tellSenders(context)
    expect([...(await postel.sql`select from postel.reports where message_id = ${report}`)]).toEqual([])
    await postel.sql`delete from postel.messages where id = ${report}`
  })
})

test('a project may tell of failures without being asked', async () => {
  await postel.sql`update postel.projects set reports = 'failures'`
  const { sender } = await send({ to: { a: '', b: '' }, script: { rcpt: { a: '550 5.1.1 nobody' } } })
  expect((await reportsTo(sender)).map(verdicts)).toEqual([['a: failed 5.1.1']])
})

test('what was sent comes back whole when that is asked for', async () => {
  const { sender } = await send({
    mail: ' RET=FULL',
    to: { a: ' NOTIFY=FAILURE' },
    data: message('Hello\r\n..dots\r\nna\u00c3\u00afve\r\n'),
    script: { rcpt: { a: '550 5.1.1 nobody' } },
  })
  const [report] = await reportsTo(sender)
  expect(report!.commands[0]).toMatch(/^MAIL FROM:<> BODY=8BITMIME/)
  expect(report!.content).toContain('Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n')
  expect(report!.content).toContain('Hello\r\n.dots\r\nna\u00c3\u00afve\r\n')
})

test('late mail is told once, with how long it is tried, and its end after that', async () => {
  await postel.sql`update postel.projects set delay_notice_after_seconds = 1`
  const { id, sender } = await send({
    to: { a: ' NOTIFY=DELAY,FAILURE' },
    script: { rcpt: { a: '451 4.2.1 later' } },
  })
  const [notice] = await waitFor(async () => {
    const reports = await reportsTo(sender)
    return reports.length > 0 && reports
  })
  expect(verdicts(notice!)).toEqual(['a: delayed 4.2.1'])
  expect(notice!.content).toMatch(/^Will-Retry-Until: .+ \+0000\r$/m)
  expect(await reportsTo(sender)).toHaveLength(1)
  system.mx.script = { rcpt: '550 5.2.1 closed' }
  await postel.retry(id)
  await waitFor(async () => (await postel.deliveries(id))[0]!.state === 'bounced')
  expect((await reportsTo(sender)).map(verdicts)).toEqual([['a: delayed 4.2.1'], ['a: failed 5.2.1']])
})

test('mail that grew too old is told as failed, with what went wrong', async () => {
  const { id, sender } = await send({
    to: { a: ' NOTIFY=FAILURE' },
    script: { rcpt: { a: '451 4.2.1 later' } },
  })
  await postel.sql`update postel.waiting set expires_at = now() - interval '1 second', ip_id = null where message_id = ${id}`
  await postel.sql`select postel.expire_waiting()`
  expect(await postel.states(id)).toEqual([expect.stringContaining('expired')])
  expect((await reportsTo(sender)).map(verdicts)).toEqual([['a: failed 4.2.1']])
})

test('a suppressed recipient is told as failed', async () => {
  const domain = system.freshDomain()
  await postel.sql`
    insert into postel.suppressions (organization_id, address, reason)
    select organization_id, ${`a@${domain}`}, 'hard bounce' from postel.projects limit 1`
  const client = await postel.session()
  await client.say('MAIL FROM:<suppressed@example.test>', 250)
  await client.say(`RCPT TO:<a@${domain}> NOTIFY=FAILURE`, 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  await client.expect(250)
  expect((await reportsTo('suppressed@example.test')).map(verdicts)).toEqual([['a: failed 5.7.1']])
})

describe('exactly one report', () => {
  test('however many runs meet', async () => {
    const script = { rcpt: { a: '550 5.1.1 nobody', b: '550 5.1.1 nobody' } }
    const { sender } = await send({ to: { a: ' NOTIFY=FAILURE', b: ' NOTIFY=FAILURE' }, script })
    await Promise.all([1, 2, 3, 4].map(() => tellSenders(context)))
    expect((await reportsTo(sender)).map(verdicts)).toEqual([['a: failed 5.1.1', 'b: failed 5.1.1']])
  })

  test('when a run ends between two reports, or before it moves the cursor', async () => {
    const script = { rcpt: { a: '550 5.1.1 nobody' } }
    const sent = [await send({ to: { a: ' NOTIFY=FAILURE' }, script })]
    sent.push(await send({ to: { a: ' NOTIFY=FAILURE' }, script }))
    const { reports } = context
    let stored = 0
    const dying = (where: 'store' | 'advance') =>
      Object.assign(Object.create(reports) as ReportQueries, {
        ...bound(reports),
        store: (...args: Parameters<ReportQueries['store']>) => {
          if (where === 'store' && ++stored > 1) return Promise.reject(new Error('the process dies'))
          return reports.store(...args)
        },
        ...(where === 'advance' && { advance: () => Promise.reject(new Error('the process dies')) }),
      })
    for (const where of ['store', 'advance'] as const)
      await expect(tellSenders({ ...context, reports: dying(where) })).rejects.toThrow('the process dies')
    for (const { sender } of sent)
      expect((await reportsTo(sender)).map(verdicts)).toEqual([['a: failed 5.1.1']])
  })

  test('of an event that is committed long after later ones were read', async () => {
    const { id, sender } = await send({
      to: { a: ' NOTIFY=FAILURE' },
      script: { rcpt: { a: '451 4.2.1 later' } },
    })
    // A transaction that made its event half a minute ago, when the cursor was further back
    await postel.sql`
      update postel.event_cursors set last_event_id = postel.uuid_v7_floor(now() - interval '1 minute')`
    const begun = Promise.withResolvers<void>()
    const commit = Promise.withResolvers<void>()
    const slow = postel.sql.begin(async (tx) => {
      await tx`
        with gone as (delete from postel.waiting where message_id = ${id}),
        settled as (update postel.deliveries set state = 'bounced' where message_id = ${id})
        insert into postel.events (id, organization_id, message_id, number, type)
        select postel.uuid_v7_floor(now() - interval '30 seconds'), organization_id, id, 1, 'bounced'
        from postel.messages where id = ${id}`
      begun.resolve()
      await commit.promise
    })
    await begun.promise
    // Meanwhile others are told all the same
    const other = await send({
      to: { a: ' NOTIFY=FAILURE' },
      script: { rcpt: { a: '550 5.1.1 nobody' } },
    })
    expect((await reportsTo(other.sender)).map(verdicts)).toEqual([['a: failed 5.1.1']])
    commit.resolve()
    await slow
    expect((await reportsTo(sender)).map(verdicts)).toEqual([['a: failed 5.0.0']])
    expect(await received(other.sender)).toHaveLength(1)
  })
})

test('the worker does it by itself', async () => {
  const { sender } = await send({
    to: { a: ' NOTIFY=FAILURE' },
    script: { rcpt: { a: '550 5.1.1 nobody' } },
  })
  await postel.startWorker({ DATABASE_DIRECT_URL: postel.databaseUrl })
  await postel.sql`select graphile_worker.add_job('reports', job_key := 'reports')`
  await waitFor(async () => (await received(sender)).length > 0)
  expect((await received(sender)).map(verdicts)).toEqual([['a: failed 5.1.1']])
})

/** Its methods, each still its own: private fields do not pass through a prototype. */
function bound(reports: ReportQueries): Partial<ReportQueries> {
  const names = Object.getOwnPropertyNames(ReportQueries.prototype).filter((name) => name !== 'constructor')
  return Object.fromEntries(
    names.map((name) => [
      name,
      (reports[name as keyof ReportQueries] as (...args: unknown[]) => unknown).bind(reports),
    ]),
  )
}
