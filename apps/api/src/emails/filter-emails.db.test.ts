/** What each filter of GET /emails means, alone, together, and with pages in both directions. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
/** By subject. */
const ids = new Map<string, string>()

const email = { from: 'Ann <Ann@example.test>', text: 't' }
const scheduled = new Date(Date.now() + 3_600_000).toISOString()

beforeAll(async () => {
  api = await startApi()
  tenant = await api.tenant('example.test')
  for (const [subject, more] of [
    ['one', { to: 'bob@dest.test', tags: [{ name: 'kind', value: 'welcome' }] }],
    ['two', { to: ['bob@dest.test', 'eve@dest.test'] }],
    ['three', { to: 'carol@dest.test', bcc: 'Bob@Dest.test', from: 'shop@example.test' }],
    [
      'four',
      {
        to: 'carol@dest.test',
        tags: [
          { name: 'kind', value: 'welcome' },
          { name: 'x', value: 'y' },
        ],
      },
    ],
    ['five', { to: 'dave@dest.test', scheduled_at: scheduled }],
    ['six', { to: 'dave@dest.test' }],
    ['seven', { to: 'dave@dest.test' }],
  ] as const) {
    const body = { ...email, subject, ...more }
    const reply = await api.call('POST', '/emails', { key: tenant.key, body })
    expect(reply.status).toBe(200)
    ids.set(subject, reply.body.id)
  }
  const settle = (subject: string, number: number, state: string, attempts: number) => api.sql`
    with settled as (
      update postel.deliveries set state = ${state}, attempts = ${attempts}, updated_at = now() + interval '1 s'
      where message_id = ${ids.get(subject)!} and number = ${number}
    )
    insert into postel.events (organization_id, message_id, number, type)
    values (${tenant.organizationId}, ${ids.get(subject)!}, ${number}, ${state})`
  await settle('one', 1, 'delivered', 1)
  await settle('two', 1, 'bounced', 1)
  await settle('two', 2, 'bounced', 1)
  await settle('three', 1, 'bounced', 1)
  await settle('four', 1, 'expired', 0)
  await settle('six', 1, 'delivered', 1)
  await api.sql`
    insert into postel.events (created_at, organization_id, message_id, number, type)
    values (now() + interval '1 min', ${tenant.organizationId}, ${ids.get('six')!}, 1, 'opened')`
  await api.sql`update postel.messages set source = 'smtp' where id = ${ids.get('seven')!}`
})
afterAll(() => api.stop())

async function list(query: string, key = tenant.key): Promise<{ subjects: string[]; more: boolean }> {
  const { status, body } = await api.call('GET', `/emails?${query}`, { key })
  expect([query, status]).toEqual([query, 200])
  return { subjects: body.data.map(({ subject }: { subject: string }) => subject), more: body.has_more }
}

describe('each filter', () => {
  test.each([
    ['recipient=bob@dest.test', ['three', 'two', 'one']],
    ['recipient=BOB@dest.test', ['three', 'two', 'one']],
    ['recipient=bob', []],
    ['recipient=%25', []],
    ['sender=ann@EXAMPLE.test', ['seven', 'six', 'five', 'four', 'two', 'one']],
    ['sender=shop@example.test', ['three']],
    ['subject=TWO', ['two']],
    ['subject=tw', []],
    ['tag=kind:welcome', ['four', 'one']],
    ['tag=x:y', ['four']],
    ['tag=kind:other', []],
    ['status=delivered', ['one']],
    ['status=opened', ['six']],
    ['status=bounced', ['three', 'two']],
    ['status=failed', ['four']],
    ['status=scheduled', ['five']],
    ['status=queued', ['seven']],
    ['status=complained', []],
    ['status=bounced,failed,opened', ['six', 'four', 'three', 'two']],
    ['status=scheduled,delivered', ['five', 'one']],
    ['source=smtp', ['seven']],
    ['created_after=2020-01-01T00:00:00Z', ['seven', 'six', 'five', 'four', 'three', 'two', 'one']],
    ['created_before=2020-01-01T00:00:00Z', []],
    ['created_after=9999-12-31T23:59:59Z', []],
    ['created_before=0001-01-01T00:00:00Z', []],
    ['project=test', ['seven', 'six', 'five', 'four', 'three', 'two', 'one']],
  ])('%s', async (query, subjects) => {
    expect(await list(query)).toEqual({ subjects, more: false })
  })
})

describe('several together', () => {
  test.each([
    ['recipient=bob@dest.test&status=bounced', ['three', 'two']],
    ['recipient=bob@dest.test&status=bounced&sender=ann@example.test', ['two']],
    ['tag=kind:welcome&status=delivered', ['one']],
    ['tag=kind:welcome&subject=four&sender=ann@example.test&source=rest', ['four']],
    ['recipient=dave@dest.test&tag=kind:welcome', []],
  ])('%s', async (query, subjects) => {
    expect((await list(query)).subjects).toEqual(subjects)
  })
})

describe('pages of what is filtered', () => {
  test.each([
    'recipient=bob@dest.test',
    'status=bounced,failed,delivered',
    'sender=ann@example.test',
    'tag=kind:welcome',
    'source=rest',
    '',
  ])('%s run through all of it, both ways', async (query) => {
    const { subjects } = await list(query)
    const oneByOne: string[] = []
    for (let cursor = ''; ; ) {
      const page = await list(`${query}&limit=1${cursor}`)
      oneByOne.push(...page.subjects)
      if (!page.more) break
      cursor = `&after=${ids.get(page.subjects[0]!)}`
    }
    expect(oneByOne).toEqual(subjects)
    const back: string[] = []
    for (let cursor = '&before=00000000-0000-0000-0000-000000000000'; ; ) {
      const page = await list(`${query}&limit=1${cursor}`)
      back.unshift(...page.subjects)
      if (!page.more) break
      cursor = `&before=${ids.get(page.subjects[0]!)}`
    }
    expect(back).toEqual(subjects)
  })
})

test('a search that would look at too much says how far it got, and goes on from there', async () => {
  const own = await api.tenant('many.test')
  await api.sql`
    insert into postel.messages (id, expires_at, organization_id, project_id, size_bytes, recipient_count, source, envelope_from, message_id_header, header_from, subject)
    select postel.uuid_v7(), now(), ${own.organizationId}, ${own.projectId}, 1, 1, case n when 1 then 'smtp' else 'rest' end, 'a@many.test', '<x@y>', 'a@many.test', n::text
    from generate_series(1, 3000) as n`
  await api.sql`
    insert into postel.deliveries (message_id, number, state, updated_at, recipient, domain)
    select id, 1, 'queued', now(), 'x@dest.test', 'dest.test' from postel.messages where project_id = ${own.projectId}`
  const found: string[] = []
  let requests = 0
  for (let cursor = ''; ; requests++) {
    const { body } = await api.call('GET', `/emails?source=smtp${cursor}`, { key: own.key })
    found.push(...body.data.map(({ subject }: { subject: string }) => subject))
    if (!body.has_more) break
    expect(body.searched_to).toBeDefined()
    cursor = `&after=${body.searched_to}`
  }
  expect(found).toEqual(['1'])
  expect(requests).toBeGreaterThan(0)
})

test("another tenant's mail is in no answer, whatever is asked", async () => {
  const other = await api.tenant('other.test')
  for (const query of [
    'recipient=bob@dest.test',
    'sender=ann@example.test',
    'subject=one',
    'tag=kind:welcome',
    'status=bounced',
    'status=scheduled',
    '',
  ])
    expect(await list(query, other.key)).toEqual({ subjects: [], more: false })
  const reply = await api.call('GET', `/emails?project=${tenant.projectId}`, { key: other.key })
  expect(reply.status).toBe(422)
})

test.each([
  'limit=0',
  'limit=101',
  'limit=-1',
  'limit=1e9',
  'limit=NaN',
  'after=x',
  `after=${'0'.repeat(8)}-0000-0000-0000-000000000000&before=${'0'.repeat(8)}-0000-0000-0000-000000000000`,
  'recipient=',
  'recipient=%00',
  'recipient=a&recipient=b',
  `subject=${'a'.repeat(1_001)}`,
  'subject=a%0d%0ab',
  'tag=welcome',
  'status=sent',
  'status=delivered,',
  'status=constructor',
  'source=carrier-pigeon',
  'created_after=yesterday',
  'created_after=2026-02-30T00:00:00Z',
  'created_before=275760-09-13T00:00:00Z',
  'created_before=2026-11-21T10:00:00',
  'project=nowhere',
  'project=%00',
])('%s is refused', async (query) => {
  expect((await api.call('GET', `/emails?${query}`, { key: tenant.key })).status).toBe(422)
})
