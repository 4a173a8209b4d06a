/** Clicks and openings: where links lead, what is noted, and that they cannot be made to lead elsewhere. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readStoredMessage } from '@postel/db/queries/emails'
import { createLogger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import { simpleParser } from 'mailparser'
import { ApiEvents } from '../events.ts'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'
import { ActivityLog } from './activity-log.ts'

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test', 'unproved.test')
  await api.sql`
    update postel.domains
    set open_tracking = true, click_tracking = true, tracking_subdomain = 'links',
      tracking_verified_at = case when name = 'example.test' then now() end
    where organization_id = ${tenant.organizationId}`
})
afterAll(() => api.stop())

const destination = 'https://shop.test/?a=1&b=ü'

async function send(fields: object = {}) {
  const html = `<body><a href="${destination.replace('&', '&amp;')}">Shop</a></body>`
  const { status, body } = await api.call('POST', '/emails', {
    key: tenant.key,
    body: { from: 'a@example.test', to: 'ann@dest.test', subject: 'x', html, text: destination, ...fields },
  })
  expect(status).toBe(200)
  const parsed = await simpleParser((await readStoredMessage(api.sql, tenant, body.id))!)
  const url = (kind: string) =>
    new RegExp(`"http://links\\.example\\.test:3000(/${kind}/[^"]+)"`).exec(String(parsed.html))?.[1]
  return { id: body.id as string, click: url('c'), open: url('o'), text: parsed.text, html: parsed.html }
}

const visit = (path: string, method = 'GET') =>
  fetch(api.url + path, { method, redirect: 'manual', headers: { 'user-agent': 'Test/1.0' } })

async function events(id: string, count: number) {
  const deadline = performance.now() + 60_000
  for (;;) {
    const rows = await api.sql`
      select e.number, e.type, e.data from postel.events e
      where e.message_id = ${id} and e.type in ('opened', 'clicked') order by e.type`
    if (rows.length >= count || performance.now() > deadline) return rows
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test('a click leads on, an image opens, and both are events of the recipient', async () => {
  const { id, click, open, text } = await send()
  expect(text).toContain(destination)
  const followed = await visit(click!)
  expect([followed.status, followed.headers.get('location')]).toEqual([302, new URL(destination).href])
  expect(followed.headers.get('referrer-policy')).toBe('no-referrer')
  const image = await visit(open!)
  expect([image.status, image.headers.get('content-type'), image.headers.get('cache-control')]).toEqual([
    200,
    'image/gif',
    'no-store',
  ])
  expect(Buffer.from(await image.arrayBuffer()).toString('latin1', 0, 6)).toBe('GIF89a')
  const data = {
    ip_address: '127.0.0.1',
    user_agent: 'Test/1.0',
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
  }
  expect(await events(id, 2)).toEqual([
    { number: 1, type: 'clicked', data: { ...data, link: destination } },
    { number: 1, type: 'opened', data },
  ])
})

test('who reads the message by the API sees it as it was written, and counts as nobody', async () => {
  const { id } = await send()
  const { body } = await api.call('GET', `/emails/${id}`, { key: tenant.key })
  expect(body.html.trimEnd()).toBe(`<body><a href="${destination.replace('&', '&amp;')}">Shop</a></body>`)
})

test('a message to several is told of without a recipient', async () => {
  const { id, click } = await send({ to: ['ann@dest.test', 'bob@dest.test'] })
  await visit(click!)
  expect(await events(id, 1)).toMatchObject([{ number: null, type: 'clicked' }])
})

test('looking whether a link is good is no click', async () => {
  const { id, click } = await send()
  expect((await visit(click!, 'HEAD')).status).toBe(302)
  await visit(click!)
  expect(await events(id, 1)).toHaveLength(1)
})

test('who fetches an image over and over fills no table', async () => {
  const { id } = await send()
  const [row] = await api.sql<{ ref: string }[]>`
    select m.details ->> 'link_ref' as ref from postel.messages m where m.id = ${id}`
  const registry = createRegistry('api')
  // Not by requests: a slow machine serves too few of them a second
  const log = new ActivityLog(api.sql, new ApiEvents(createLogger('api', 'silent'), registry))
  const data = { ip_address: null, user_agent: 'Test/1.0', timestamp: new Date().toISOString() }
  const { projectId } = tenant
  for (let times = 0; times < 60; times++)
    log.add({ projectId, ref: row!.ref, at: new Date(), number: 1, type: 'opened', data })
  await log.stop()
  expect(await events(id, 20)).toHaveLength(20)
  expect(await registry.metrics()).toMatch(/activities_total\{.*type="opened",result="dropped".*\} 40\n/)
})

test('a domain whose tracking host is not proved gets no tracking', async () => {
  const { html } = await send({ from: 'a@unproved.test' })
  expect(html).toContain('href="https://shop.test')
  expect(html).not.toContain('<img')
})

test.each<[string, (token: string) => string]>([
  ['a URL', () => encodeURIComponent('https://evil.test')],
  ['a URL in base64', () => Buffer.from('https://evil.test').toString('base64url')],
  ['a token without its signature', (token) => token.slice(0, -22)],
  [
    'a token with another destination',
    (token) => {
      const bytes = Buffer.from(token, 'base64url')
      return Buffer.concat([
        bytes.subarray(0, 35),
        Buffer.from('https://evil.test'),
        bytes.subarray(-16),
      ]).toString('base64url')
    },
  ],
  ['a token with something behind it', (token) => `${token}AAAA`],
])('%s redirects nowhere', async (_name, forge) => {
  const { click, open } = await send()
  const forged = forge(click!.slice(3))
  for (const path of [
    `/c/${forged}`,
    `/o/${forged}.gif`,
    `/c/${open!.slice(3, -4)}`,
    `/o/${click!.slice(3)}.gif`,
  ]) {
    const reply = await visit(path)
    expect([reply.status, reply.headers.get('location')]).toEqual([404, null])
  }
})
