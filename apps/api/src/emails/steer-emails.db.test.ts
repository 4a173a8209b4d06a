/** What can be done with an email after it was sent: another time, cancel, again, its parts, a link; and what is told of it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readStoredMessage } from '@postel/db/queries/emails'
import { Resend } from 'resend'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let resend: Resend

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
  resend = new Resend(tenant.key, { baseUrl: api.url })
})
afterAll(() => api.stop())

const email = { from: 'Ann <ann@example.test>', to: 'bob@dest.test', subject: 'Hello', text: 'Hi Bob' }
const nobody = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'
const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString()

async function send(more: object = {}): Promise<string> {
  const { data, error } = await resend.emails.send({ ...email, ...more })
  expect(error).toBeNull()
  return data!.id
}
const get = async (id: string) => (await resend.emails.get(id)).data!
const fetchAs = (key: string, path: string) =>
  fetch(`${api.url}${path}`, { headers: { authorization: `Bearer ${key}` } })
const local = (url: string) => api.url + new URL(url).pathname

test('emails.update moves what is scheduled, with its lifetime, and has it looked for then', async () => {
  const id = await send({ to: ['bob@dest.test', 'eve@other.test'], scheduledAt: inHours(1) })
  const [before] =
    await api.sql`select expires_at - not_before as life from postel.waiting where message_id = ${id}`
  const at = inHours(5)
  expect((await resend.emails.update({ id, scheduledAt: at })).data).toEqual({ object: 'email', id })

  const shown = await get(id)
  expect(shown.last_event).toBe('scheduled')
  expect(new Date(shown.scheduled_at!).toISOString()).toBe(at)
  const rows = await api.sql`
    select not_before, expires_at - not_before as life from postel.waiting where message_id = ${id}`
  expect(rows.map(({ not_before }) => (not_before as Date).toISOString())).toEqual([at, at])
  expect(rows[0]!.life).toEqual(before!.life)
  const jobs = await api.sql`
    select run_at from graphile_worker.jobs where task_identifier = 'release_due' and run_at between ${at} and ${at}::timestamptz + interval '5 min'`
  expect(jobs).toHaveLength(1)
  const [audit] = await api.sql`select action, actor_kind from postel.audit_log where target_id = ${id}`
  expect(audit).toEqual({ action: 'email.rescheduled', actor_kind: 'api_key' })
})

test('a time in the past is now', async () => {
  const id = await send({ scheduledAt: inHours(1) })
  await resend.emails.update({ id, scheduledAt: '2020-01-01T00:00:00Z' })
  const [row] = await api.sql`
    select (select r.moved from postel.release_due() as r) as moved, count(*)::int as waiting
    from postel.waiting where message_id = ${id}`
  expect(row!.moved).toBe(1)
  expect((await get(id)).last_event).toBe('queued')
})

test('emails.cancel ends what is scheduled', async () => {
  const id = await send({ to: ['bob@dest.test', 'eve@other.test'], scheduledAt: inHours(1) })
  expect((await resend.emails.cancel(id)).data).toEqual({ object: 'email', id })
  expect((await get(id)).last_event).toBe('canceled')
  const [row] = await api.sql`
    select
      (select count(*)::int from postel.waiting where message_id = ${id}) as waiting,
      (select array_agg(state) from postel.deliveries where message_id = ${id}) as states,
      (select count(*)::int from postel.events where message_id = ${id} and type = 'cancelled') as events,
      (select array_agg(action) from postel.audit_log where target_id = ${id}) as actions`
  expect(row).toEqual({
    waiting: 0,
    states: ['cancelled', 'cancelled'],
    events: 2,
    actions: ['email.cancelled'],
  })
})

test('what is not scheduled is neither moved nor canceled, and says why', async () => {
  const queued = await send()
  const canceled = await send({ scheduledAt: inHours(1) })
  await resend.emails.cancel(canceled)
  for (const [id, state] of [
    [queued, 'queued'],
    [canceled, 'canceled'],
  ] as const) {
    const replies = [
      await resend.emails.cancel(id),
      await resend.emails.update({ id, scheduledAt: inHours(2) }),
    ]
    for (const { error } of replies)
      expect(error).toMatchObject({
        statusCode: 422,
        name: 'validation_error',
        message: expect.stringContaining(state),
      })
  }
  expect((await get(queued)).last_event).toBe('queued')
})

test.each<[unknown, number]>([
  [{}, 422],
  [{ scheduled_at: null }, 422],
  [{ scheduled_at: 'in 1 min' }, 422],
  [{ scheduled_at: inHours(31 * 24) }, 422],
  [{ scheduledAt: 5 }, 422],
  ['[', 400],
])('an update with %j is refused', async (body, status) => {
  expect((await api.call('PATCH', `/emails/${nobody}`, { key: tenant.key, body })).status).toBe(status)
})

test('the raw message comes as it was stored', async () => {
  const id = await send()
  const reply = await fetchAs(tenant.key, `/emails/${id}/raw`)
  expect(reply.headers.get('content-type')).toBe('message/rfc822')
  expect(reply.headers.get('content-disposition')).toBe(`attachment; filename="${id}.eml"`)
  expect(Buffer.from(await reply.arrayBuffer())).toEqual(await readStoredMessage(api.sql, tenant, id))
})

describe('sending again', () => {
  const again = (id: string, body?: unknown, headers?: Record<string, string>) =>
    api.call('POST', `/emails/${id}/resend`, {
      key: tenant.key,
      ...(body !== undefined && { body }),
      ...(headers && { headers }),
    })

  test('makes a new message of the same content to the same recipients', async () => {
    const id = await send({ bcc: 'eve@dest.test', html: '<p>Hi</p>', tags: [{ name: 'a', value: 'b' }] })
    const reply = await again(id)
    expect(reply.status).toBe(200)
    const [before, after] = [await get(id), await get(reply.body.id)]
    expect(after.id).not.toBe(id)
    expect(after.message_id).not.toBe(before.message_id)
    const { from, to, subject, html, text, tags } = before
    expect(after).toMatchObject({ from, to, subject, html, text, tags, last_event: 'queued' })
    const [row] = await api.sql`
      select array_agg(recipient order by number) as recipients from postel.deliveries where message_id = ${after.id}`
    expect(row!.recipients).toEqual(['bob@dest.test', 'eve@dest.test'])
    const raw = (await readStoredMessage(api.sql, tenant, after.id))!.toString()
    for (const field of ['Received', 'Date', 'Message-ID'])
      expect(raw.match(new RegExp(`^${field}:`, 'gm'))).toHaveLength(1)
  })

  test('to others leaves the header as it is', async () => {
    const { body } = await again(await send(), { to: 'new@dest.test' })
    const [row] =
      await api.sql`select array_agg(recipient) as to from postel.deliveries where message_id = ${body.id}`
    expect(row!.to).toEqual(['new@dest.test'])
    expect((await get(body.id)).to).toEqual(['bob@dest.test'])
  })

  test('under one idempotency key happens once', async () => {
    const id = await send()
    const headers = { 'idempotency-key': `again ${id}` }
    const [first, second] = await Promise.all([again(id, undefined, headers), again(id, undefined, headers)])
    expect(second.body).toEqual(first.body)
    expect((await again(id, { to: 'x@dest.test' }, headers)).status).toBe(409)
  })

  test('is refused without recipients, to what is no address, and from a domain that was lost', async () => {
    const id = await send()
    for (const to of [[], 'x', 5, 'a@x.test, b@x.test']) expect((await again(id, { to })).status).toBe(422)
    const other = await api.tenant('lost.test')
    const key = other.key
    const sent = await api.call('POST', '/emails', { key, body: { ...email, from: 'a@lost.test' } })
    const lost = await api.tenant()
    await api.sql`update postel.domains set organization_id = ${lost.organizationId} where name = 'lost.test'`
    await api.sql`update postel.messages set signing_domain = 'gone.test' where id = ${sent.body.id}`
    expect((await api.call('POST', `/emails/${sent.body.id}/resend`, { key })).status).toBe(403)
  })
})

test('attachments are listed, and each has a link that downloads it and runs nothing', async () => {
  const bytes = Buffer.from('<script>alert(1)</script>')
  const id = await send({
    html: '<img src="cid:pic">',
    attachments: [
      { filename: 'a.html', content: bytes, contentType: 'text/html' },
      { filename: 'p.png', content: Buffer.of(137, 80), contentType: 'image/png', contentId: 'pic' },
    ],
  })
  const { data } = await resend.emails.attachments.list({ emailId: id })
  expect(data).toMatchObject({ object: 'list', has_more: false })
  const page = data!.data.find(({ filename }) => filename === 'a.html')!
  expect(page).toMatchObject({
    size: bytes.length,
    content_type: 'text/html',
    content_disposition: 'attachment',
  })
  expect(data!.data.find(({ filename }) => filename === 'p.png')).toMatchObject({
    content_disposition: 'inline',
    content_id: 'pic',
  })
  const one = await resend.emails.attachments.get({ emailId: id, id: page.id })
  expect(one.data).toMatchObject({ object: 'attachment', id: page.id })

  const download = await fetch(local(one.data!.download_url))
  expect(Buffer.from(await download.arrayBuffer())).toEqual(bytes)
  expect(download.headers.get('content-type')).toBe('application/octet-stream')
  expect(download.headers.get('content-disposition')).toBe('attachment; filename=a.html')
  expect(download.headers.get('x-content-type-options')).toBe('nosniff')
})

test('emails.share gives a link that shows the email until it expires, and only that', async () => {
  const id = await send({ subject: '<i>Hi</i>', html: '<script>x</script><p>Hi "Bob"</p>' })
  const { data } = await resend.emails.share(id, { expiresIn: '1h' })
  expect(data).toEqual({ object: 'email', id, url: expect.stringMatching(/\/links\/emails\/[\w-]+$/) })
  const page = await fetch(local(data!.url))
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  const html = await page.text()
  expect(html).toContain('&lt;i&gt;Hi&lt;/i&gt;')
  expect(html).toContain('<iframe sandbox=""')
  expect(html).not.toContain('<script')

  const token = data!.url.split('/').at(-1)!
  const flipped = token.slice(0, -6) + (token.at(-6) === 'A' ? 'B' : 'A') + token.slice(-5)
  for (const path of [
    `/links/emails/${flipped}`,
    `/links/attachments/${token}`,
    `/links/emails/${'A'.repeat(200)}`,
  ])
    expect((await fetch(api.url + path)).status).toBe(404)
  const short = await resend.emails.share(id, { expiresIn: '1' })
  const expired = async () => (await fetch(local(short.data!.url))).status
  const deadline = Date.now() + 60_000
  while ((await expired()) === 200 && Date.now() < deadline) await new Promise(setImmediate)
  expect(await expired()).toBe(404)
})

test('the events of an email tell every try, and what else happened', async () => {
  const id = await send({ to: ['bob@dest.test', 'eve@dest.test'] })
  await api.sql`
    insert into postel.attempts (message_id, number, attempt, at, duration_ms, outcome, in_doubt, mx_host, mx_address, tls, code, enhanced_code, category, reply)
    values
      (${id}, 1, 1, now() + interval '1 s', 120, 'deferred', false, 'mx.dest.test', '192.0.2.1', 'TLSv1.3', 450, '4.2.0', 'greylisting', '450 later'),
      (${id}, 1, 2, now() + interval '2 s', 80, 'delivered', false, 'mx.dest.test', '192.0.2.1', 'TLSv1.3', 250, '2.0.0', null, '250 ok')`
  await api.sql`
    insert into postel.events (created_at, organization_id, message_id, number, type, data)
    values
      (now() + interval '2 s', ${tenant.organizationId}, ${id}, 1, 'delivered', null),
      (now() + interval '3 s', ${tenant.organizationId}, ${id}, 1, 'clicked', '{"link":"https://x.test"}')`
  const { body } = await api.call('GET', `/emails/${id}/events`, { key: tenant.key })
  expect(
    body.data.map(
      (each: { type: string; recipient: string; attempt: { reply: string } | null; data: unknown }) => [
        each.type,
        each.recipient,
        each.attempt?.reply ?? null,
        each.data,
      ],
    ),
  ).toEqual([
    ['clicked', 'bob@dest.test', null, { link: 'https://x.test' }],
    ['delivered', 'bob@dest.test', '250 ok', null],
    ['deferred', 'bob@dest.test', '450 later', null],
    ['accepted', null, null, null],
  ])
  const eve = await api.call('GET', `/emails/${id}/events?recipient=Eve@dest.test`, { key: tenant.key })
  expect(eve.body.data.map(({ type }: { type: string }) => type)).toEqual(['accepted'])
  const first = await api.call('GET', `/emails/${id}/events?limit=1`, { key: tenant.key })
  expect([first.body.has_more, first.body.data.length]).toEqual([true, 1])
  expect((await get(id)).last_event).toBe('clicked')
})

test("another tenant's email is not there for any of it", async () => {
  const id = await send({ scheduledAt: inHours(1) })
  const other = await api.tenant('other.test')
  for (const theirs of [id, nobody])
    for (const [method, path, body] of [
      ['PATCH', '', { scheduled_at: inHours(2) }],
      ['POST', '/cancel', undefined],
      ['POST', '/resend', undefined],
      ['POST', '/share', undefined],
      ['GET', '/events', undefined],
      ['GET', '/attachments', undefined],
      ['GET', `/attachments/${nobody}`, undefined],
      ['GET', '/raw', undefined],
    ] as const) {
      const reply = await fetch(`${api.url}/emails/${theirs}${path}`, {
        method,
        headers: { authorization: `Bearer ${other.key}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      })
      expect([path, reply.status]).toEqual([path, 404])
    }
  expect((await get(id)).last_event).toBe('scheduled')
})
