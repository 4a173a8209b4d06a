/** Templates with the unmodified resend SDK, and what is refused of them. */
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

const welcome = {
  name: 'Welcome',
  subject: 'Hello {{{NAME}}}',
  html: '<p>Hello {{{NAME}}}, {{{COUNT}}} new, {{{ NOTE }}}</p>',
  text: 'Hello {{{NAME}}}',
  from: 'Ann <ann@example.test>',
  variables: [
    { key: 'NAME', type: 'string' as const },
    { key: 'COUNT', type: 'number' as const, fallbackValue: 0 },
    { key: 'NOTE', type: 'string' as const, fallbackValue: 'bye' },
  ],
}

test('templates.create, get, update, publish, list, duplicate and remove', async () => {
  const created = await resend.templates.create({
    ...welcome,
    alias: 'welcome',
    replyTo: 'help@example.test',
  })
  expect(created.error).toBeNull()
  const { id } = created.data!

  const draft = (await resend.templates.get('welcome')).data!
  expect(draft).toMatchObject({
    object: 'template',
    id,
    alias: 'welcome',
    status: 'draft',
    subject: 'Hello {{{NAME}}}',
    reply_to: ['help@example.test'],
    has_unpublished_versions: true,
    published_at: null,
    variables: [
      { key: 'NAME', type: 'string', fallback_value: null },
      { key: 'COUNT', type: 'number', fallback_value: 0 },
      { key: 'NOTE', type: 'string', fallback_value: 'bye' },
    ],
  })

  expect((await resend.templates.publish(id)).data).toEqual({ object: 'template', id })
  expect((await resend.templates.get(id)).data).toMatchObject({
    status: 'published',
    has_unpublished_versions: false,
    current_version_id: draft.current_version_id,
  })

  expect((await resend.templates.update('welcome', { subject: 'Other' })).data).toEqual({
    object: 'template',
    id,
  })
  expect((await resend.templates.get(id)).data).toMatchObject({
    subject: 'Other',
    html: welcome.html,
    has_unpublished_versions: true,
  })

  const copy = await resend.templates.duplicate(id).publish()
  expect((await resend.templates.get(copy.data!.id)).data).toMatchObject({
    name: 'Welcome (copy)',
    alias: null,
    subject: 'Other',
    status: 'published',
  })
  const listed = await resend.templates.list({ limit: 1 })
  expect(listed.data).toMatchObject({ object: 'list', has_more: true, data: [{ id: copy.data!.id }] })

  expect((await resend.templates.remove('welcome')).data).toEqual({ object: 'template', id, deleted: true })
  expect((await resend.templates.get(id)).error).toMatchObject({ statusCode: 404, name: 'not_found' })
  expect(
    (
      await api.sql`
        select action from postel.audit_log where target_id = ${id} and organization_id = ${tenant.organizationId} order by id`
    ).map(({ action }) => action),
  ).toEqual(['template.created', 'template.published', 'template.updated', 'template.deleted'])
})

test('what is sent is the published text with its values, as text where it is HTML', async () => {
  const { data } = await resend.templates.create({ ...welcome, alias: 'sent' }).publish()
  await resend.templates.update(data!.id, { html: '<p>not yet</p>' })
  const sent = await resend.emails.send({
    to: 'bob@dest.test',
    template: { id: 'sent', variables: { NAME: '<b>Böb</b> & {{{NOTE}}}', COUNT: 3 } },
  })
  expect(sent.error).toBeNull()
  expect((await resend.emails.get(sent.data!.id)).data).toMatchObject({
    from: 'Ann <ann@example.test>',
    subject: 'Hello <b>Böb</b> & {{{NOTE}}}',
    html: '<p>Hello &lt;b&gt;Böb&lt;/b&gt; &amp; {{{NOTE}}}, 3 new, bye</p>',
    text: 'Hello <b>Böb</b> & {{{NOTE}}}',
  })
})

test('an email may say more than its template, and a batch may have templates', async () => {
  await resend.templates.create({ ...welcome, alias: 'batch' }).publish()
  const sent = await resend.batch.send([
    { to: 'bob@dest.test', subject: 'For {{{NAME}}}', template: { id: 'batch', variables: { NAME: 'Bob' } } },
    { to: 'eve@dest.test', from: 'x@example.test', template: { id: 'batch', variables: { NAME: 'Eve' } } },
  ])
  expect(sent.error).toBeNull()
  const [bob, eve] = sent.data!.data.map(({ id }) => id)
  expect((await resend.emails.get(bob!)).data!.subject).toBe('For Bob')
  expect((await resend.emails.get(eve!)).data).toMatchObject({ from: 'x@example.test', subject: 'Hello Eve' })
  expect((await readStoredMessage(api.sql, tenant, eve!))!.toString()).toContain('Hello Eve, 0 new, bye')
})

describe('an email is refused that', () => {
  beforeAll(async () => {
    await resend.templates.create({ ...welcome, alias: 'refused' }).publish()
    await resend.templates.create({ ...welcome, alias: 'draft' })
    await resend.templates.create({ name: 'bare', html: '<p>{{{ANY}}}</p>', alias: 'bare' }).publish()
  })
  const named = (id: unknown, variables?: unknown) => ({ to: 'bob@dest.test', template: { id, variables } })
  test.each<[string, unknown, string]>([
    ['misses a value', named('refused'), 'The template needs a value for the variable `NAME`.'],
    ['has a text for a number', named('refused', { NAME: 'a', COUNT: '3' }), 'must be a number'],
    ['names no template', named('nowhere'), 'There is no such template'],
    ['names a draft', named('draft', { NAME: 'a' }), 'not published yet'],
    ['has html as well', { ...named('refused', { NAME: 'a' }), html: 'x' }, 'Invalid `html` field'],
    [
      'has values that are neither text nor number',
      named('refused', { NAME: {} }),
      'template.variables.NAME',
    ],
    ['has a line break in its subject', named('refused', { NAME: 'a\r\nBcc: x@z.test' }), '`subject`'],
    ['has no sender in either', { ...named('bare', { ANY: 'a' }), subject: 's' }, 'Missing `from` field.'],
    [
      'has no subject in either',
      { ...named('bare', { ANY: 'a' }), from: 'a@example.test' },
      'Missing `subject` field.',
    ],
    ['names its template by a number', named(5), '`template.id`'],
    ['has a template that is a text', { to: 'bob@dest.test', template: 'refused' }, '`template`'],
  ])('%s', async (_, body, message) => {
    const reply = await api.call('POST', '/emails', { key: tenant.key, body })
    expect(reply).toMatchObject({ status: 422, body: { message: expect.stringContaining(message) } })
  })
})

describe('a template is refused that', () => {
  test.each<[string, unknown, number]>([
    ['is nothing', {}, 422],
    ['is an array', [], 422],
    ['has no html', { name: 'a' }, 422],
    ['has NUL in its html', { name: 'a', html: '\0' }, 422],
    ['has a line break in its subject', { name: 'a', html: 'a', subject: 'a\nb' }, 422],
    [
      'has an alias that is an id',
      { name: 'a', html: 'a', alias: '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e' },
      422,
    ],
    ['has an alias with a slash', { name: 'a', html: 'a', alias: '../x' }, 422],
    [
      'has a variable twice',
      {
        name: 'a',
        html: 'a',
        variables: [
          { key: 'A', type: 'string' },
          { key: 'A', type: 'string' },
        ],
      },
      422,
    ],
    [
      'has a fallback of another type',
      { name: 'a', html: 'a', variables: [{ key: 'A', type: 'number', fallback_value: '1' }] },
      422,
    ],
    [
      'has a prototype for a variable',
      { name: 'a', html: 'a', variables: [{ key: '__proto__', type: 'string' }] },
      422,
    ],
    ['has an alias that is taken', { name: 'a', html: 'a', alias: 'refused' }, 409],
  ])('%s', async (_, body, status) => {
    expect((await api.call('POST', '/templates', { key: tenant.key, body })).status).toBe(status)
  })
})

test("another tenant's template is not found, nor sent", async () => {
  const other = await api.tenant('other.test')
  for (const [method, path, body] of [
    ['GET', '/templates/refused', undefined],
    ['PATCH', '/templates/refused', { name: 'x' }],
    ['DELETE', '/templates/refused', undefined],
    ['POST', '/templates/refused/publish', undefined],
    ['POST', '/templates/refused/duplicate', undefined],
  ] as const)
    expect((await api.call(method, path, { key: other.key, body })).status).toBe(404)
  expect((await api.call('GET', '/templates', { key: other.key })).body.data).toEqual([])
  const body = {
    from: 'x@other.test',
    subject: 's',
    to: 'b@dest.test',
    template: { id: 'refused', variables: { NAME: 'a' } },
  }
  expect((await api.call('POST', '/emails', { key: other.key, body })).status).toBe(422)
})
