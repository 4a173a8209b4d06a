/** Whoever has the link in a message can unsubscribe its recipient from its project, and nobody else from anything. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readStoredMessage } from '@postel/db/queries/emails'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
  await api.sql`update postel.projects set unsubscribe = true where id = ${tenant.projectId}`
})
afterAll(() => api.stop())

async function send(to: string | string[], fields: object = {}) {
  const { status, body } = await api.call('POST', '/emails', {
    key: tenant.key,
    body: { from: 'a@example.test', to, subject: 'x', text: 'x', ...fields },
  })
  expect(status).toBe(200)
  return stored(body.id)
}

async function stored(id: string) {
  const raw = (await readStoredMessage(api.sql, tenant, id))!.toString('latin1')
  const [delivery] = await api.sql<{ state: string }[]>`
    select d.state from postel.deliveries d where d.message_id = ${id}`
  return {
    id,
    state: delivery!.state,
    header: raw.slice(0, raw.indexOf('\r\n\r\n')),
    link: /\r\nList-Unsubscribe: <(.*)>\r\n/.exec(raw)?.[1]?.replace('http://localhost:3000', api.url),
  }
}

/** As mail providers do it: RFC 8058 §3.2. */
const oneClick = (link: string) =>
  fetch(link, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'List-Unsubscribe=One-Click',
  })

test('one click suppresses the address for the project, and is an event of the message', async () => {
  const { id, link, header } = await send('Ann@DEST.test')
  expect(header).toContain('\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click')
  for (let clicks = 0; clicks < 2; clicks++) expect((await oneClick(link!)).status).toBe(200)
  expect((await api.call('GET', '/suppressions/ann@dest.test', { key: tenant.key })).body).toMatchObject({
    email: 'ann@dest.test',
    origin: 'unsubscribe',
    source_id: id,
    project_id: tenant.projectId,
    expires_at: null,
  })
  const events = await api.sql`
    select e.number, e.data from postel.events e where e.message_id = ${id} and e.type = 'unsubscribed'`
  expect(events).toEqual([
    {
      number: 1,
      data: {
        email: 'ann@dest.test',
        project_id: tenant.projectId,
        ip_address: '127.0.0.1',
        user_agent: 'node',
      },
    },
  ])
  expect((await send('ann@dest.test')).state).toBe('suppressed')
  expect((await send('other@dest.test', { bcc: 'other2@dest.test' })).state).toBe('queued')
})

test('who was taken off the list gets mail again, and can unsubscribe again by the old link', async () => {
  const { link } = await send('again@dest.test')
  for (let round = 0; round < 2; round++) {
    await oneClick(link!)
    expect((await send('again@dest.test')).state).toBe('suppressed')
    await api.call('DELETE', '/suppressions/again@dest.test', { key: tenant.key })
    expect((await send('again@dest.test')).state).toBe('queued')
  }
})

test('looking at the page changes nothing, and its button unsubscribes', async () => {
  const { link } = await send('"x y&bob"@dest.test')
  const page = await fetch(link!, { headers: { accept: 'text/html' } })
  const text = await page.text()
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(page.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[^;]+; form-action 'self'/,
  )
  expect(text).toContain('&#34;x y&#38;bob&#34;@dest.test')
  expect(text).toMatch(/<form method="post"><button>/)
  expect((await send('"x y&bob"@dest.test')).state).toBe('queued')
  const answer = await fetch(link!, { method: 'POST' })
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('You are unsubscribed')])
  expect((await send('"X y&bob"@dest.test')).state).toBe('suppressed')
})

test.each<[string, string | string[], object]>([
  ['to several recipients', ['a@dest.test', 'b@dest.test'], {}],
  ['with a blind copy', 'a@dest.test', { bcc: 'b@dest.test' }],
  [
    'with a List-Unsubscribe of its own',
    'a@dest.test',
    { headers: { 'List-Unsubscribe': '<mailto:x@example.test>' } },
  ],
])('a message %s gets no link', async (_name, to, fields) => {
  expect((await send(to, fields)).header).not.toContain('/unsubscribe/')
})

test('a message that is sent again to somebody else unsubscribes him, not the first', async () => {
  const { id } = await send('first@dest.test')
  const { body } = await api.call('POST', `/emails/${id}/resend`, {
    key: tenant.key,
    body: { to: 'second@dest.test' },
  })
  await oneClick((await stored(body.id)).link!)
  expect((await send('first@dest.test')).state).toBe('queued')
  expect((await send('second@dest.test')).state).toBe('suppressed')
})

test('a project that does not ask for it gets none', async () => {
  const other = await api.tenant('other.test')
  const { body } = await api.call('POST', '/emails', {
    key: other.key,
    body: { from: 'a@other.test', to: 'b@dest.test', subject: 'x', text: 'x' },
  })
  expect((await readStoredMessage(api.sql, other, body.id))!.toString()).not.toContain('List-Unsubscribe')
  const [row] =
    await api.sql`select m.details ? 'link_ref' as named from postel.messages m where m.id = ${body.id}`
  expect(row).toEqual({ named: false })
})

test.each<[string, (token: string) => string]>([
  [
    'changed in its address',
    (token) => token.slice(0, 60) + (token[60] === 'A' ? 'B' : 'A') + token.slice(61),
  ],
  ['without its signature', (token) => token.slice(0, -22)],
  ['guessed', () => 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
  ['a word', () => 'x'],
])('a link that is %s does nothing', async (_name, forge) => {
  const { link } = await send('safe@dest.test')
  const [, base, token] = /^(.*\/)([^/]+)$/.exec(link!)!
  const before = await api.sql`select count(*) from postel.suppressions`
  for (const method of ['GET', 'POST']) {
    const forged = await fetch(base + forge(token!), { method })
    expect([forged.status, await forged.json()]).toEqual([
      404,
      expect.objectContaining({ name: 'not_found' }),
    ])
  }
  expect(await api.sql`select count(*) from postel.suppressions`).toEqual(before)
})

test('a person with a broken link sees a page', async () => {
  const page = await fetch(`${api.url}/unsubscribe/x`, { headers: { accept: 'text/html,*/*;q=0.8' } })
  expect([page.status, page.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8'])
})
