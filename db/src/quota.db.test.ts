/** Monthly quotas: never exceeded, over any number of processes; what a process leaves returns. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Admission, AdmissionError } from './admission.ts'
import { connect, type Sql } from './client.ts'
import { QuotaQueries } from './queries/quota.ts'
import { Quota, type Reservation } from './quota.ts'
import { type Submission, Submitter } from './submitter.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { awayFromMidnight, makeTenant, submission, submitOne, type Tenant } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
const processes: Process[] = []

beforeAll(async () => {
  await awayFromMidnight()
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 4 })
})
afterAll(async () => {
  await Promise.all(processes.map((each) => each.stop()))
  await sql.end({ timeout: 1 })
  await database.drop()
})

/** What a process that accepts mail has. */
class Process {
  readonly sql = connect(database.url, { name: 'test-process', max: 2 })
  readonly admission = new Admission({ sql: this.sql, name: 'test', onError: () => {} })
  readonly submitter = new Submitter({
    url: database.url,
    name: 'test',
    onStored: () => {},
    admission: this.admission,
  })

  async stop(): Promise<void> {
    await this.submitter.stop()
    await this.admission.stop()
    await this.sql.end({ timeout: 1 })
  }
}

function start(): Process {
  const process = new Process()
  processes.push(process)
  return process
}

async function tenantWith(columns: Record<string, unknown>): Promise<Tenant> {
  const tenant = await makeTenant(sql)
  await sql`update postel.organizations set ${sql(columns)} where id = ${tenant.organizationId}`
  return tenant
}

async function useUp(tenant: Tenant, used: number): Promise<void> {
  await sql`
    insert into postel.quota_months (organization_id, month, used)
    values (${tenant.organizationId}, date_trunc('month', now() at time zone 'utc')::date, ${used})`
}

async function accepted(tenant: Tenant): Promise<number> {
  const [row] = await sql<{ recipients: number }[]>`
    select coalesce(sum(recipient_count), 0)::int as recipients from postel.messages
    where organization_id = ${tenant.organizationId}`
  return row!.recipients
}

/** Used, and reserved, in the database's books. */
async function books(tenant: Tenant): Promise<{ used: number; reserved: number; uses: number }> {
  const [row] = await sql<{ used: number; reserved: number; uses: number }[]>`
    select
      (select coalesce(sum(used), 0)::int from postel.quota_months where organization_id = ${tenant.organizationId}) as used,
      (select coalesce(sum(recipients), 0)::int from postel.quota_blocks where organization_id = ${tenant.organizationId})
        as reserved,
      (select coalesce(sum(recipients), 0)::int from postel.quota_uses where organization_id = ${tenant.organizationId})
        as uses`
  return row!
}

/** `stored`, or what refused it. */
function send(process: Process, tenant: Tenant, to?: string[]): Promise<string> {
  return process.submitter.submit(submission(tenant, to ? { to } : {})).then(
    () => 'stored',
    (error) => (error instanceof AdmissionError ? error.refusal : String(error)),
  )
}

function tally(outcomes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

test('of 100 parallel sends over three processes at the quota less one, exactly one is accepted', async () => {
  const tenant = await tenantWith({ monthly_recipients: 1000 })
  await useUp(tenant, 999)
  const three = [start(), start(), start()]
  const outcomes = await Promise.all(Array.from({ length: 100 }, (_, i) => send(three[i % 3]!, tenant)))
  expect(tally(outcomes)).toEqual({ stored: 1, monthly_quota: 99 })
  expect(await accepted(tenant)).toBe(1)
})

test('recipients are counted, not messages, and one that does not fit leaves room for one that does', async () => {
  const tenant = await tenantWith({ monthly_recipients: 5 })
  const process = start()
  const four = ['a@dest.test', 'b@dest.test', 'c@dest.test', 'd@dest.test']
  expect(await send(process, tenant, four)).toBe('stored')
  expect(await send(process, tenant, ['a@dest.test', 'b@dest.test'])).toBe('monthly_quota')
  expect(await send(process, tenant)).toBe('stored')
  expect(await send(process, tenant)).toBe('monthly_quota')
})

test('whatever processes do at once, the month is used up to its end and not beyond', async () => {
  const tenant = await tenantWith({ monthly_recipients: 300 })
  const three = [start(), start(), start()]
  const outcomes: string[] = []
  await Promise.all(
    Array.from({ length: 30 }, async (_, lane) => {
      for (let i = 0; i < 20; i++) outcomes.push(await send(three[lane % 3]!, tenant))
    }),
  )
  expect(await accepted(tenant)).toBe(tally(outcomes).stored)
  expect(await accepted(tenant)).toBeLessThanOrEqual(300)
  // What the processes had reserved beyond comes back when they stop, and is there for another
  await Promise.all(processes.splice(0).map((process) => process.stop()))
  const { used, reserved, uses } = await books(tenant)
  expect({ used, reserved, uses }).toEqual({ used: await accepted(tenant), reserved: 0, uses: 0 })
  const last = start()
  for (let left = 300 - used; left > 0; left--) expect(await send(last, tenant)).toBe('stored')
  expect(await send(last, tenant)).toBe('monthly_quota')
  expect(await accepted(tenant)).toBe(300)
})

test("what a dead process had reserved is another's within a minute, and what it had used is not", async () => {
  const tenant = await tenantWith({ monthly_recipients: 10 })
  const queries = new QuotaQueries(sql)
  const [clock] = await sql<{ began: Date }[]>`select clock_timestamp() as began`
  const dead = await queries.reserve(tenant.organizationId, 'dead', null, 10, 0)
  await submitUnder(dead.block!, tenant, 3)
  expect((await queries.reserve(tenant.organizationId, 'other', null, 1, 0)).granted).toBe(0)

  const grant = async (from: Date, seconds: number) => {
    const [row] = await sql<{ granted: number }[]>`
      select granted::int from postel.quota_reserve(
        ${tenant.organizationId}, 'other', null, 10, 0, ${from}::timestamptz + make_interval(secs => ${seconds}))`
    return row!.granted
  }
  // From before it was reserved, and from after, so that it does not matter how long that took
  expect(await grant(clock!.began, 54)).toBe(0)
  expect(await grant(new Date(), 60)).toBe(7)
})

test('nothing is stored under a block that has ended', async () => {
  const tenant = await tenantWith({ monthly_recipients: 10 })
  const { block } = await new QuotaQueries(sql).reserve(tenant.organizationId, 'slow', null, 5, 0)
  await sql`update postel.quota_blocks set expires_at = now() where id = ${block}`
  await expect(submitUnder(block!, tenant, 1)).rejects.toMatchObject({ code: 'PQ001' })
  expect([await accepted(tenant), (await books(tenant)).uses]).toEqual([0, 0])
})

test('a block does not outlive its month', async () => {
  const tenant = await tenantWith({ monthly_recipients: 10 })
  const [row] = await sql<{ seconds: number; month: string }[]>`
    select r.seconds, (select month::text from postel.quota_blocks where id = r.block) as month
    from postel.quota_reserve(${tenant.organizationId}, 'late', null, 10, 0, '2031-01-31 23:59:50+00') as r`
  expect(row).toEqual({ seconds: 10, month: null })
  const [next] = await sql<{ granted: number }[]>`
    select granted::int from postel.quota_reserve(
      ${tenant.organizationId}, 'late', null, 10, 0, '2031-02-01 00:00:00+00')`
  expect(next!.granted).toBe(10)
})

test('an idle process gives back what it does not use, and what it has used is counted', async () => {
  const tenant = await tenantWith({ monthly_recipients: 10_000 })
  const quota = new Quota(new QuotaQueries(sql), 'idle')
  const reservations: Reservation[] = []
  const take = async () => reservations.push((await quota.take(tenant.organizationId, 1)) as Reservation)
  for (let i = 0; i < 20; i++) await take()
  // Where it asked too seldom for that, it has nothing to spare yet
  for (let i = 0; i < 100 && (await books(tenant)).reserved <= reservations.length; i++) await take()
  expect((await books(tenant)).reserved).toBeGreaterThan(reservations.length)
  for (const reservation of reservations) reservation.settle('refused')
  await quota.renew()
  await quota.renew()
  expect(await books(tenant)).toEqual({ used: 0, reserved: 0, uses: 0 })
  expect(quota.idle).toBe(false)
  await quota.renew()
  expect(quota.idle).toBe(true)
})

test('mail in a row costs a handful of questions, not one each', async () => {
  const tenant = await tenantWith({ monthly_recipients: 100_000 })
  const queries = new QuotaQueries(sql)
  let questions = 0
  const counting = {
    reserve: (...asked: Parameters<QuotaQueries['reserve']>) => {
      questions++
      return queries.reserve(...asked)
    },
    renew: queries.renew.bind(queries),
  } as QuotaQueries
  const quota = new Quota(counting, 'busy')
  for (let i = 0; i < 2_000; i++)
    ((await quota.take(tenant.organizationId, 1)) as Reservation).settle('stored')
  expect(questions).toBeLessThan(20)
  await quota.stop()
})

test('a block that has ended costs its own mail, and nobody else in the batch', async () => {
  const [late, other] = [await tenantWith({ monthly_recipients: 10 }), await makeTenant(sql)]
  const { block } = await new QuotaQueries(sql).reserve(late.organizationId, 'late', null, 10, 0)
  await sql`update postel.quota_blocks set expires_at = now() where id = ${block}`
  const admission = {
    admit: ([first]: Submission[]) => ({
      block: first!.organizationId === late.organizationId ? block : null,
      settle: () => {},
    }),
  } as unknown as Admission
  const submitter = new Submitter({ url: database.url, name: 'test', onStored: () => {}, admission })
  const outcomes = await Promise.allSettled(
    [late, other, other, late, other].map((tenant) => submitter.submit(submission(tenant))),
  )
  expect(outcomes.map(({ status }) => status)).toEqual([
    'rejected',
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ])
  await submitter.stop()
  expect([await accepted(late), await accepted(other)]).toEqual([0, 3])
})

test('mail that the database refuses, and repeated mail, costs nothing', async () => {
  const tenant = await tenantWith({ monthly_recipients: 2 })
  const { submitter } = start()
  await expect(submitter.submit(submission(tenant, { subject: 'NUL \0' }))).rejects.toMatchObject({
    fault: 'data',
  })
  const once = () => submitter.submitOnce('key', Buffer.from('hash'), [submission(tenant)])
  expect((await once()).outcome).toBe('stored')
  expect((await once()).outcome).toBe('repeated')
  expect((await submitter.submitAll([submission(tenant)])).length).toBe(1)
  // The month is used up, and still the same request has the same answer
  expect((await once()).outcome).toBe('repeated')
  expect((await submitter.submitOnce('key', Buffer.from('other'), [submission(tenant)])).outcome).toBe(
    'conflict',
  )
  const fresh = submitter.submitOnce('another key', Buffer.from('hash'), [submission(tenant)])
  await expect(fresh).rejects.toMatchObject({ refusal: 'monthly_quota' })
})

test('test mail does not count, and without a quota nothing is written', async () => {
  const tenant = await tenantWith({ monthly_recipients: 0 })
  const process = start()
  await process.submitter.submit({ ...submission(tenant), test: true })
  expect(await send(process, tenant)).toBe('monthly_quota')
  const unlimited = await makeTenant(sql)
  expect(await send(process, unlimited)).toBe('stored')
  expect(await books(unlimited)).toEqual({ used: 0, reserved: 0, uses: 0 })
  const [row] = await sql`select test from postel.messages where organization_id = ${tenant.organizationId}`
  expect(row).toEqual({ test: true })
})

test("the plan's quota holds where the organization has none, and mail from psql counts", async () => {
  const [plan] = await sql<{ id: string }[]>`
    insert into postel.plans (name, monthly_recipients) values ('small', 2) returning id`
  const tenant = await tenantWith({ plan_id: plan!.id })
  const post = () =>
    sql`select postel.send(${`a@${tenant.domain}`}, array['b@dest.test'], 'subject', 'text', project => ${tenant.projectName})`
  await post()
  const process = start()
  expect(await send(process, tenant)).toBe('stored')
  await expect(post()).rejects.toMatchObject({ code: '53400' })
  expect(await send(process, tenant)).toBe('monthly_quota')
  await sql`update postel.organizations set monthly_recipients = 3 where id = ${tenant.organizationId}`
  await post()
})

test('a quota that comes in the middle of the month begins with what has been sent', async () => {
  const tenant = await makeTenant(sql)
  await submitOne(sql, tenant, { to: ['a@dest.test', 'b@dest.test'] })
  await sql`update postel.organizations set monthly_recipients = 3 where id = ${tenant.organizationId}`
  const process = start()
  expect([await send(process, tenant), await send(process, tenant)]).toEqual(['stored', 'monthly_quota'])
})

test('warnings come once at 80 and once at 100 per cent', async () => {
  const tenant = await tenantWith({ monthly_recipients: 10 })
  await useUp(tenant, 7)
  const check = async () => {
    const [row] = await sql<{ percent: number | null }[]>`
      select postel.quota_check(${tenant.organizationId}) as percent`
    return row!.percent
  }
  expect(await check()).toBeNull()
  const process = start()
  await send(process, tenant)
  expect([await check(), await check()]).toEqual([80, null])
  await send(process, tenant)
  await send(process, tenant)
  expect([await check(), await check()]).toEqual([100, null])
  const events = await sql<{ data: { percent: number; used: number } }[]>`
    select data from postel.events
    where organization_id = ${tenant.organizationId} and type = 'quota.warning' order by id`
  expect(events.map(({ data }) => [data.percent, data.used])).toEqual([
    [80, 8],
    [100, 10],
  ])
})

test('the rate of a project is shared by the processes that use it', async () => {
  const tenant = await makeTenant(sql)
  await sql`update postel.projects set recipients_per_second = 10 where id = ${tenant.projectId}`
  const queries = new QuotaQueries(sql)
  expect(await queries.shares('one', [tenant.projectId])).toEqual([
    { ownerId: tenant.projectId, processes: 1 },
  ])
  expect(await queries.shares('two', [tenant.projectId])).toEqual([
    { ownerId: tenant.projectId, processes: 2 },
  ])
  await sql`update postel.rate_shares set used_at = now() - interval '13 s' where process = 'one'`
  expect(await queries.shares('two', [tenant.projectId])).toEqual([
    { ownerId: tenant.projectId, processes: 1 },
  ])
})

test('mail beyond the rate of its project or its key is refused with the time to wait', async () => {
  const tenant = await makeTenant(sql)
  await sql`update postel.projects set recipients_per_second = 2 where id = ${tenant.projectId}`
  const process = start()
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => send(process, tenant)))
  expect(tally(outcomes).stored).toBeLessThan(10)
  expect(tally(outcomes).rate).toBeGreaterThan(40)

  const other = await tenantWith({ recipients_per_second: 2 })
  const keyId = randomUUID()
  // Larger than a second's worth, so it has to be paid off first
  await process.submitter.submitAll(Array.from({ length: 50 }, () => ({ ...submission(other), keyId })))
  const refused = await process.submitter.submitAll([{ ...submission(other), keyId }]).catch((error) => error)
  expect(refused).toMatchObject({ refusal: 'rate' })
  expect(refused.retryAfterMs).toBeGreaterThan(0)
})

test('an organization that may not submit is refused, one that may not send is taken and held', async () => {
  const process = start()
  const outcome = async (status: string) => {
    const tenant = await tenantWith({ status, status_reason: 'too many complaints' })
    const sent = await send(process, tenant)
    const rows = await sql<{ state: string }[]>`
      select d.state from postel.deliveries d join postel.messages m on m.id = d.message_id
      where m.organization_id = ${tenant.organizationId}`
    return [sent, ...rows.map(({ state }) => state)]
  }
  expect(await outcome('no_receiving')).toEqual(['no_receiving'])
  expect(await outcome('frozen')).toEqual(['frozen'])
  expect(await outcome('no_sending')).toEqual(['stored', 'held'])
})

/** Stores messages of one recipient each as a process would that has this block. */
async function submitUnder(block: string, tenant: Tenant, messages: number): Promise<void> {
  const { raw, recipients, ...message } = submission(tenant)
  const json = Array.from({ length: messages }, () => ({
    org: tenant.organizationId,
    prj: tenant.projectId,
    src: 'rest',
    efrom: message.envelopeFrom,
    sdom: tenant.domain,
    mid: message.messageIdHeader,
    hfrom: message.headerFrom,
    subj: message.subject,
    size: raw.length,
    off: 1,
    len: raw.length,
    enc: 0,
    rcpt: recipients.map(({ address }) => address),
    rdom: recipients.map(({ domain }) => domain),
    blk: block,
  }))
  await sql`select from postel.submit_batch(${JSON.stringify(json)}::text::json, ${raw})`
}
