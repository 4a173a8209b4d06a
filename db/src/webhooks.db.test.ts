/** What webhooks are told of, once each; who gets a place; what follows from each attempt. */
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { connect, type Sql } from './client.ts'
import { WebhookDispatchQueries } from './queries/webhook-dispatch.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeTenant, queueRow, submitOne, type Tenant } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let queries: WebhookDispatchQueries
let tenant: Tenant

const everything = [
  ...['sent', 'scheduled', 'delivered', 'delivery_delayed', 'bounced', 'failed', 'suppressed', 'canceled'],
  ...['opened', 'clicked', 'complained', 'unsubscribed'],
]
  .map((type) => `email.${type}`)
  .concat('domain.created', 'suppression.added', 'webhook.disabled', 'notice')
const limits = { inFlight: new Map(), free: 64, freeFailing: 32, perWebhook: 8, leaseSeconds: 20 }

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 3 })
  queries = new WebhookDispatchQueries(sql)
})
afterAll(async () => {
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  await sql`update postel.webhooks set status = 'disabled'`
  tenant = await makeTenant(sql)
})

type WebhookOptions = { events?: string[]; projectId?: string; organizationId?: string; failing?: boolean }

async function addWebhook(options: WebhookOptions = {}): Promise<string> {
  const {
    events = everything,
    projectId = null,
    organizationId = tenant.organizationId,
    failing = false,
  } = options
  const [row] = await sql<{ id: string }[]>`
    insert into postel.webhooks (organization_id, project_id, endpoint, events, secret, failing_since)
    values (
      ${organizationId}, ${projectId}, 'https://hook.test/', ${events}, 'secret', ${failing ? sql`now()` : null}
    )
    returning id`
  return row!.id
}

async function addDelivery(webhookId: string, count = 1): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    insert into postel.webhook_deliveries (webhook_id, type, payload, next_attempt_at)
    select ${webhookId}, 'email.sent', '{}', now() from generate_series(1, ${count})
    returning id`
  return rows.map(({ id }) => id)
}

async function addEvent(
  type: string,
  {
    messageId = null,
    number = null,
    data = null,
  }: { messageId?: string | null; number?: number | null; data?: unknown },
  organizationId = tenant.organizationId,
): Promise<void> {
  await sql`
    insert into postel.events (organization_id, message_id, number, type, data)
    values (${organizationId}, ${messageId}, ${number}, ${type}, ${data === null ? null : JSON.stringify(data)}::text::jsonb)`
}

/** Reads all events; gives what one webhook is to be told, in order. */
// biome-ignore lint/suspicious/noExplicitAny: bodies are compared as they are
async function told(webhookId: string): Promise<any[]> {
  const [now] = await sql<
    { id: string }[]
  >`select postel.uuid_v7_floor(clock_timestamp() + interval '1 s') as id`
  await queries.fanOut('00000000-0000-0000-0000-000000000000', now!.id, 100_000)
  const rows = await sql<{ payload: string }[]>`
    select payload from postel.webhook_deliveries where webhook_id = ${webhookId} order by event_id, id`
  return rows.map(({ payload }) => JSON.parse(payload))
}

const typesTold = async (webhookId: string) => (await told(webhookId)).map(({ type }) => type)

/** What outbound says of the only queue row of a message. */
async function outcome(
  messageId: string,
  [kind, code, category, reply]: readonly [string, number, string, string],
): Promise<void> {
  const { id, ipId, numbers } = await queueRow(sql, messageId)
  const same = (value: unknown) => numbers.map(() => value)
  const element = {
    ...{
      id,
      ip: ipId,
      m: messageId,
      d: 'dest.test',
      at: 0,
      ms: 5,
      mx: 'mx.dest.test',
      addr: '127.0.0.1',
      tls: null,
    },
    ...{
      doubt: false,
      after: null,
      n: numbers,
      o: same(kind),
      c: same(code),
      e: same(null),
      k: same(category),
    },
    t: same(reply),
  }
  await sql`select postel.record_outcomes(${JSON.stringify([element])}::text::json)`
}

const refused = ['bounced', 550, 'invalid_recipient', '550 5.1.1 no such\r\n550 <b>user</b>'] as const

test('a mail that is delivered is told of as sent and as delivered, with what Resend says of it', async () => {
  const webhook = await addWebhook()
  const id = await submitOne(sql, tenant, { to: ['ann@dest.test', 'bob@dest.test'], subject: 'Hällo "you"' })
  await outcome(id, ['delivered', 250, '', '250 ok'])
  const [sent, ...delivered] = await told(webhook)
  const data = {
    email_id: id,
    message_id: expect.stringMatching(/^<.*>$/),
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    from: `a@${tenant.domain}`,
    subject: 'Hällo "you"',
  }
  const to = ['ann@dest.test', 'bob@dest.test']
  expect(sent).toEqual({ type: 'email.sent', created_at: data.created_at, data: { ...data, to } })
  expect(delivered.map((each) => each.data.to[0]).sort()).toEqual(to)
  for (const each of delivered)
    expect(each).toEqual({
      type: 'email.delivered',
      created_at: data.created_at,
      data: { ...data, to: [expect.any(String)] },
    })
})

test('a refused mail is told of with the reply, as it was', async () => {
  const webhook = await addWebhook()
  await outcome(await submitOne(sql, tenant), refused)
  expect((await told(webhook)).at(-1)).toMatchObject({
    type: 'email.bounced',
    data: {
      bounce: {
        type: 'Permanent',
        subType: 'General',
        message: refused[3],
        diagnosticCode: [`smtp; ${refused[3]}`],
      },
    },
  })
})

test.each([
  ['mailbox_full', 'MailboxFull'],
  ['too_large', 'MessageTooLarge'],
  ['spam', 'ContentRejected'],
  ['policy', 'ContentRejected'],
  ['invalid_recipient', 'General'],
  ['in_doubt', 'Undetermined'],
])('a bounce of category %s is %s', async (category, subType) => {
  const [row] = await sql`select postel.webhook_bounce('bounced', ${category}, '550 no') as bounce`
  expect(row!.bounce).toMatchObject({ type: 'Permanent', subType })
})

test('a mail that was put off until it was too old bounced, and says so once', async () => {
  const webhook = await addWebhook()
  const id = await submitOne(sql, tenant)
  await outcome(id, ['deferred', 451, 'greylisting', '451 later'])
  await sql`update postel.waiting set expires_at = now() - interval '1 s' where message_id = ${id}`
  await sql`select postel.expire_waiting(100)`
  expect(await told(webhook)).toMatchObject([
    { type: 'email.sent' },
    { type: 'email.delivery_delayed', data: { delay: { message: '451 later' } } },
    { type: 'email.bounced', data: { bounce: { type: 'Transient', message: '451 later' } } },
  ])
})

test('a mail that was never tried failed; one that a person returned after a try bounced', async () => {
  const webhook = await addWebhook()
  const [returned, tried] = [await submitOne(sql, tenant), await submitOne(sql, tenant)]
  await outcome(tried, ['deferred', 451, 'greylisting', '451 later'])
  for (const id of [returned, tried])
    await sql`select postel.bounce(${id}::uuid, reason => 'not wanted here')`
  await sql`call postel.run_operations()`
  const old = await submitOne(sql, tenant)
  await sql`update postel.queue set expires_at = now() - interval '1 s' where message_id = ${old}`
  await sql`select postel.expire_queued(100)`
  const ends = (await told(webhook)).filter(({ type }) => /failed|bounced/.test(type))
  expect(
    Object.fromEntries(ends.map(({ type, data }) => [data.email_id, [type, data.failed ?? data.bounce]])),
  ).toEqual({
    [returned]: ['email.failed', { reason: 'not wanted here' }],
    [tried]: [
      'email.bounced',
      {
        type: 'Permanent',
        subType: 'Undetermined',
        message: 'not wanted here',
        diagnosticCode: ['smtp; not wanted here'],
      },
    ],
    [old]: ['email.failed', { reason: expect.stringContaining('too old') }],
  })
})

test('a scheduled mail is told of as scheduled, and as canceled', async () => {
  const webhook = await addWebhook()
  const id = await submitOne(sql, tenant, { sendAt: new Date(Date.now() + 3_600_000) })
  expect(await typesTold(webhook)).toEqual(['email.scheduled'])
  await sql`select postel.cancel(${id}::uuid)`
  await sql`call postel.run_operations()`
  expect(await typesTold(webhook)).toEqual(['email.scheduled', 'email.canceled'])
})

test('a scheduled mail is told of as sent once, with its first try', async () => {
  const webhook = await addWebhook()
  const soon = new Date(Date.now() + 3_600_000)
  const id = await submitOne(sql, tenant, { to: ['ann@dest.test', 'bob@dest.test'], sendAt: soon })
  await sql`
    update postel.messages set details = ${JSON.stringify({ scheduled_at: soon.toISOString() })}::text::jsonb where id = ${id}`
  await sql`update postel.waiting set not_before = now() where message_id = ${id}`
  await sql`select postel.release_due(100)`
  await outcome(id, ['deferred', 451, 'greylisting', '451 later'])
  await sql`select postel.retry(${id}::uuid)`
  await outcome(id, ['delivered', 250, '', '250 ok'])
  const [first, ...later] = await told(webhook)
  expect(first.type).toBe('email.scheduled')
  expect(later.map(({ type }) => type).sort()).toEqual([
    ...[
      'email.delivered',
      'email.delivered',
      'email.delivery_delayed',
      'email.delivery_delayed',
      'email.sent',
    ],
  ])
  const sent = later.find(({ type }) => type === 'email.sent')
  expect(sent.data.to).toEqual(['ann@dest.test', 'bob@dest.test'])
})

test('a suppressed recipient is told of as suppressed and as nothing else', async () => {
  const webhook = await addWebhook()
  await sql`
    insert into postel.suppressions (organization_id, address, reason) values (${tenant.organizationId}, 'ann@dest.test', 'x')`
  await submitOne(sql, tenant)
  const bodies = await told(webhook)
  expect(bodies.map(({ type }) => type).sort()).toEqual(['email.sent', 'email.suppressed'])
  expect(bodies.find(({ type }) => type === 'email.suppressed').data).toMatchObject({
    to: ['ann@dest.test'],
    suppressed: { type: 'OnAccountSuppressionList' },
  })
})

test('tags, a click and an open are told', async () => {
  const webhook = await addWebhook()
  const id = await submitOne(sql, tenant)
  const tags = [
    { name: 'a', value: '1' },
    { name: 'b', value: '2' },
  ]
  await sql`update postel.messages set details = ${JSON.stringify({ tags, to: ['Ann <ann@dest.test>'] })}::text::jsonb where id = ${id}`
  const timestamp = '2026-11-21T20:13:42.674Z'
  const who = { ip: '192.0.2.1', user_agent: 'UA', timestamp }
  await addEvent('opened', { messageId: id, number: 1, data: who })
  await addEvent('clicked', { messageId: id, number: 1, data: { ...who, link: 'https://x.test/?a=1&b=2' } })
  const visit = { ipAddress: '192.0.2.1', userAgent: 'UA', timestamp }
  expect(
    (await told(webhook)).map(({ type, data }) => [type, data.to, data.tags, data.open ?? data.click]),
  ).toEqual([
    ['email.sent', ['Ann <ann@dest.test>'], { a: '1', b: '2' }, undefined],
    ['email.opened', ['ann@dest.test'], { a: '1', b: '2' }, visit],
    ['email.clicked', ['ann@dest.test'], { a: '1', b: '2' }, { ...visit, link: 'https://x.test/?a=1&b=2' }],
  ])
})

test('an event is told of once, however often it is read', async () => {
  const webhook = await addWebhook()
  await outcome(await submitOne(sql, tenant), refused)
  await Promise.all([told(webhook), told(webhook), told(webhook)])
  expect(await typesTold(webhook)).toEqual(['email.sent', 'email.bounced'])
})

test('a webhook is told of nothing that it did not ask for, that is not its own, or that was before it', async () => {
  const other = await makeTenant(sql)
  const [project] = await sql<{ id: string }[]>`
    insert into postel.projects (organization_id, name, pool_id) values (${tenant.organizationId}, 'second', ${tenant.poolId})
    returning id`
  await submitOne(sql, tenant, { subject: 'before' })
  await new Promise((resolve) => setTimeout(resolve, 5))
  const webhooks = {
    all: await addWebhook(),
    bounces: await addWebhook({ events: ['email.bounced'] }),
    project: await addWebhook({ projectId: tenant.projectId }),
    secondProject: await addWebhook({ projectId: project!.id }),
    other: await addWebhook({ organizationId: other.organizationId }),
  }
  await outcome(await submitOne(sql, tenant), refused)
  await addEvent('domain.created', { data: { id: '1', project_id: project!.id } })
  await addEvent('suppression.added', { data: { id: '2', project_id: null } })
  await addEvent('of no interest', { data: {} })
  const seen = Object.fromEntries(
    await Promise.all(Object.entries(webhooks).map(async ([name, id]) => [name, await typesTold(id)])),
  )
  const mail = ['email.sent', 'email.bounced']
  expect(seen).toEqual({
    all: [...mail, 'domain.created', 'suppression.added'],
    bounces: ['email.bounced'],
    project: [...mail, 'suppression.added'],
    secondProject: ['domain.created', 'suppression.added'],
    other: [],
  })
  expect((await told(webhooks.all)).at(-2).data).toEqual({ id: '1' })
})

test('what is read goes on where it ended, and nothing is passed over', async () => {
  const webhook = await addWebhook()
  for (let n = 0; n < 5; n++) await submitOne(sql, tenant)
  const [end] = await sql<
    { id: string }[]
  >`select postel.uuid_v7_floor(clock_timestamp() + interval '1 s') as id`
  let after = (await queries.readFrom('webhooks', end!.id))!
  let rounds = 0
  for (; after < end!.id; rounds++) after = (await queries.fanOut(after, end!.id, 2)).lastId
  expect(rounds).toBeGreaterThan(2)
  const [row] =
    await sql`select count(*)::int as count from postel.webhook_deliveries where webhook_id = ${webhook}`
  expect(row!.count).toBe(5)
})

test('nothing is read while no webhook is enabled', async () => {
  expect(await queries.readFrom('webhooks', 'ffffffff-0000-7000-8000-000000000000')).toBeUndefined()
})

test('a cursor goes on, and never back', async () => {
  await addWebhook()
  await queries.advance('webhooks', 'ffffffff-0000-7000-8000-000000000000')
  await queries.advance('webhooks', '00000000-0000-7000-8000-000000000001')
  const [row] = await sql`select last_event_id as id from postel.event_cursors where name = 'webhooks'`
  expect(row!.id).toBe('ffffffff-0000-7000-8000-000000000000')
  await sql`delete from postel.event_cursors where name = 'webhooks'`
})

test('what is told after the clock was set back is told all the same', async () => {
  const webhook = await addWebhook()
  await sql`update postel.webhooks set enabled_at = now() - interval '1 hour' where id = ${webhook}`
  const [at] = await sql<{ past: string; now: string; ahead: string }[]>`
    select postel.uuid_v7_floor(now() - interval '1 second') as past, postel.uuid_v7_floor(now()) as now,
      postel.uuid_v7_floor(now() + interval '5 minutes') as ahead`
  await queries.advance('webhooks', at!.ahead)
  expect(await queries.readFrom('webhooks', at!.now)).toBe(at!.past)
  expect(await queries.readFrom('webhooks', at!.ahead)).toBe(at!.past)
  await sql`delete from postel.event_cursors where name = 'webhooks'`
})

const claimedOf = async (claim: typeof limits) =>
  (await queries.claim(claim)).map(({ webhookId }) => webhookId).sort()

test('what is claimed is nobody else’s until the lease is over', async () => {
  const webhook = await addWebhook()
  const [id] = await addDelivery(webhook)
  expect(await queries.claim(limits)).toMatchObject([{ id, webhookId: webhook, attempts: 0, failing: false }])
  expect(await queries.claim(limits)).toEqual([])
  await sql`update postel.webhook_deliveries set next_attempt_at = next_attempt_at - interval '21 s' where id = ${id!}`
  expect(await queries.claim(limits)).toMatchObject([{ id }])
})

test('no webhook gets more than its places, one that fails one, and those that fail not all of them', async () => {
  const busy = await addWebhook()
  const failing = await Promise.all([1, 2, 3].map(() => addWebhook({ failing: true })))
  await addDelivery(busy, 50)
  for (const each of failing) await addDelivery(each, 50)
  const claimed = await claimedOf({ ...limits, freeFailing: 2, inFlight: new Map([[busy, 3]]) })
  expect(claimed.filter((id) => id === busy)).toHaveLength(5)
  expect(claimed.filter((id) => id !== busy)).toHaveLength(2)
  expect(new Set(claimed.filter((id) => id !== busy)).size).toBe(2)
})

test('with few places the first of each webhook goes before the second of any', async () => {
  const [a, b] = [await addWebhook(), await addWebhook()]
  await addDelivery(a, 20)
  await addDelivery(b, 1)
  expect(await claimedOf({ ...limits, free: 2 })).toEqual([a, b].sort())
})

test('a webhook that is disabled keeps what it was to be told', async () => {
  const webhook = await addWebhook()
  await addDelivery(webhook)
  await sql`update postel.webhooks set status = 'disabled' where id = ${webhook}`
  expect(await queries.claim(limits)).toEqual([])
  await sql`update postel.webhooks set status = 'enabled' where id = ${webhook}`
  expect(await queries.claim(limits)).toHaveLength(1)
})

test('a former secret is given out until its time is over', async () => {
  const webhook = await addWebhook()
  const claimWith = async (until: string) => {
    await sql`
      update postel.webhooks set previous_secret = 'former', previous_secret_until = now() + ${until}::interval
      where id = ${webhook}`
    await addDelivery(webhook)
    return String((await queries.claim(limits))[0]!.previousSecret)
  }
  expect([await claimWith('1 minute'), await claimWith('-1 s')]).toEqual(['former', 'null'])
})

type Met = { status?: number; error?: string; retryAfter?: number; after?: number }

async function record(id: string, { status, error, retryAfter, after = 0 }: Met) {
  return queries.record([
    {
      ...{ id, after, at: new Date(), ms: 12, status: status ?? null, error: error ?? null, body: 'reply' },
      retryAfterSeconds: retryAfter ?? null,
    },
  ])
}

async function stateOf(id: string) {
  const [row] = await sql`
    select d.state, d.attempts, round(extract(epoch from d.next_attempt_at - now()))::float8 as wait,
      (select count(*)::int from postel.webhook_attempts a where a.delivery_id = d.id) as tries
    from postel.webhook_deliveries d where d.id = ${id}`
  return row as unknown as { state: string; attempts: number; wait: number | null; tries: number }
}

/** How many seconds a delivery waits after this attempt, at least and at most, however long recording it takes; null: none. */
async function waitAfter(id: string, met: Met): Promise<{ least: number; most: number } | null> {
  const clock = async () => (await sql<{ now: Date }[]>`select clock_timestamp() as now`)[0]!.now
  const began = await clock()
  await record(id, met)
  const ended = await clock()
  const [row] = await sql<{ least: number | null; most: number }[]>`
    select extract(epoch from d.next_attempt_at - ${ended})::float8 as least,
      extract(epoch from d.next_attempt_at - ${began})::float8 as most
    from postel.webhook_deliveries d where d.id = ${id}`
  return row!.least === null ? null : { least: row!.least, most: row!.most }
}

const webhookOf = async (id: string) =>
  (
    await sql`select status, status_reason as reason, failing_since is not null as failing from postel.webhooks where id = ${id}`
  )[0]

test('what was taken is done', async () => {
  const webhook = await addWebhook({ failing: true })
  const [id] = await addDelivery(webhook)
  await record(id!, { status: 204 })
  expect(await stateOf(id!)).toEqual({ state: 'delivered', attempts: 1, wait: null, tries: 1 })
  expect(await webhookOf(webhook)).toEqual({ status: 'enabled', reason: null, failing: false })
})

test('what was not taken is tried after 5 s, 5 min, 30 min, 2, 5, 10 and 10 h, and then no more', async () => {
  const webhook = await addWebhook()
  const [id] = await addDelivery(webhook)
  const waits: Awaited<ReturnType<typeof waitAfter>>[] = []
  for (let after = 0; after < 8; after++) waits.push(await waitAfter(id!, { error: 'no answer', after }))
  const schedule = [5, 300, 1800, 7200, 18_000, 36_000, 36_000]
  expect(waits.pop()).toBeNull()
  for (const [n, wait] of waits.entries()) {
    expect(wait!.most).toBeGreaterThanOrEqual(schedule[n]!)
    expect(wait!.least).toBeLessThanOrEqual(schedule[n]! * 1.1 + 1)
  }
  expect(await stateOf(id!)).toMatchObject({ state: 'failed', attempts: 8, tries: 8 })
  expect(await webhookOf(webhook)).toEqual({ status: 'enabled', reason: null, failing: true })
})

test.each([
  ['one that is longer is kept to', 600, 600],
  ['one that is shorter changes nothing', 1, 5],
  ['one that is very long is cut to ten hours', 1e9, 36_000],
])('Retry-After: %s', async (_, retryAfter, wait) => {
  const [id] = await addDelivery(await addWebhook())
  const { least, most } = (await waitAfter(id!, { status: 429, error: '429', retryAfter }))!
  expect(most).toBeGreaterThanOrEqual(wait)
  expect(least).toBeLessThanOrEqual(wait + 1)
})

test('410 ends it: the webhook is disabled, and its organization told why', async () => {
  const [webhook, second] = [await addWebhook(), await addWebhook()]
  const [id, waiting] = await addDelivery(webhook, 2)
  expect(await record(id!, { status: 410, error: '410' })).toEqual([{ webhookId: webhook, reason: 'gone' }])
  expect([await stateOf(id!), await stateOf(waiting!)]).toMatchObject([
    { state: 'failed', wait: null },
    { state: 'pending', tries: 0 },
  ])
  expect(await webhookOf(webhook)).toMatchObject({ status: 'disabled', reason: 'gone' })
  expect(await told(second)).toMatchObject([
    { type: 'webhook.disabled', data: { id: webhook, reason: 'gone' } },
    {
      type: 'notice',
      data: { subject: 'A webhook was disabled', text: expect.stringContaining('https://hook.test/') },
    },
  ])
  const [logged] = await sql`select action, actor_kind from postel.audit_log where target_id = ${webhook}`
  expect(logged).toEqual({ action: 'webhook.disabled', actor_kind: 'system' })
})

test.each([
  ['for six days is disabled when it is given up on', '6 days', 7, ['failing']],
  ['for six days stays when there is an attempt left', '6 days', 6, []],
  ['for four days stays', '4 days', 7, []],
])('a webhook that has failed %s', async (_, since, after, reasons) => {
  const webhook = await addWebhook()
  const [id] = await addDelivery(webhook)
  await sql`update postel.webhooks set failing_since = now() - ${since}::interval where id = ${webhook}`
  await sql`update postel.webhook_deliveries set attempts = ${after} where id = ${id!}`
  const disabled = await record(id!, { error: 'no answer', after })
  expect(disabled.map(({ reason }) => reason)).toEqual(reasons)
  expect((await webhookOf(webhook))!.status).toBe(reasons.length > 0 ? 'disabled' : 'enabled')
})

test('an attempt that was overtaken is noted and changes nothing', async () => {
  const [id] = await addDelivery(await addWebhook())
  await record(id!, { error: 'no answer', after: 0 })
  const before = await stateOf(id!)
  await record(id!, { error: 'no answer', after: 0 })
  expect(await stateOf(id!)).toMatchObject({ ...before, wait: expect.any(Number), tries: 2 })
  await record(id!, { status: 200, after: 0 })
  await record(id!, { error: 'no answer', after: 1 })
  expect(await stateOf(id!)).toMatchObject({ state: 'delivered', wait: null, tries: 4 })
})

test('what an attempt met of a webhook that is gone is dropped', async () => {
  await expect(record('00000000-0000-7000-8000-000000000001', { status: 200 })).resolves.toEqual([])
})

test('deliveries of a month ago are forgotten, and webhooks that were deleted', async () => {
  const [kept, deleted] = [await addWebhook(), await addWebhook()]
  const [young] = await addDelivery(kept)
  const [old] = await addDelivery(deleted)
  await record(old!, { status: 200 })
  await sql`
    insert into postel.webhook_deliveries (id, webhook_id, type, payload)
    values (postel.uuid_v7_floor(now() - interval '31 days'), ${kept}, 'email.sent', '{}')`
  await sql`update postel.webhooks set deleted_at = now() where id = ${deleted}`
  expect(await queries.forget(30, 100)).toBe(2)
  await queries.forgetDeleted()
  const left = await sql`
    select d.id from postel.webhooks w left join postel.webhook_deliveries d on d.webhook_id = w.id
    where w.organization_id = ${tenant.organizationId}`
  expect(left.map(({ id }) => id)).toEqual([young])
})
