/** Whatever a client sends gets an answer in the error envelope, and nothing of a refused request is stored. */
import { request as rawRequest } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Reply, startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant

beforeAll(async () => {
  api = await startApi({ MAX_MESSAGE_BYTES: 200_000, SMTP_MAX_RECIPIENTS: 60 })
  tenant = await api.tenant('example.test')
})
afterAll(() => api.stop())

afterEach(async () => {
  const [row] = await api.sql`select count(*)::int as messages from postel.messages`
  expect(row!.messages).toBe(0)
  expect(({} as Record<string, unknown>).isAdmin).toBeUndefined()
})

const email = { from: 'ann@example.test', to: 'bob@dest.test', subject: 's', text: 't' }
const addresses = (count: number) => Array.from({ length: count }, (_, index) => `a${index}@dest.test`)
const post = (body: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
  api.call('POST', '/emails', { key: tenant.key, body, headers })
const attached = (attachment: unknown) => ({ ...email, attachments: [attachment] })

describe('a body that is not JSON in UTF-8', () => {
  test.each([
    ['empty', ''],
    ['an open brace', '{'],
    ['a trailing comma', '{"from":"a@example.test",}'],
    ['single quotes', "{'from':'a'}"],
    ['a form', 'from=ann%40example.test&to=bob'],
    ['NaN', '{"from":NaN}'],
    ['two values', '{}{}'],
    ['a raw line break in a string', '{"subject":"a\nb"}'],
    ['a byte order mark', `\ufeff${JSON.stringify(email)}`],
    ['UTF-16', Buffer.from(JSON.stringify(email), 'utf16le')],
    [
      'a byte that is not UTF-8',
      Buffer.concat([Buffer.from('{"from":"'), Buffer.of(0xff), Buffer.from('"}')]),
    ],
  ])('%s: 400', async (_, body) => {
    expect(await post(body)).toMatchObject({ status: 400, body: { name: 'validation_error' } })
  })
})

describe('JSON of the wrong shape', () => {
  const required = (field: string) => [422, 'missing_required_field', `Missing \`${field}\` field.`] as const
  const invalid = (field: string) =>
    [422, 'validation_error', expect.stringContaining(`Invalid \`${field}\` field.`)] as const
  test.each<[string, unknown, readonly [number, string, unknown]]>([
    ['null', null, [422, 'validation_error', expect.anything()]],
    ['an array', [], [422, 'validation_error', expect.anything()]],
    ['a string', '"x"', [422, 'validation_error', expect.anything()]],
    ['a number beyond all', '1e400', [422, 'validation_error', expect.anything()]],
    [
      '10,000 arrays in each other',
      '['.repeat(10_000) + ']'.repeat(10_000),
      [422, 'validation_error', expect.anything()],
    ],
    [
      '10,000 objects in a field',
      `{"from":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`,
      invalid('from'),
    ],
    ['nothing', {}, required('from')],
    ['no to', { ...email, to: undefined }, required('to')],
    ['to is null', { ...email, to: null }, required('to')],
    ['no subject', { ...email, subject: undefined }, required('subject')],
    [
      'neither html nor text',
      { ...email, text: undefined },
      [422, 'missing_required_field', expect.anything()],
    ],
    ['from is an array', { ...email, from: ['ann@example.test', 'victim@other.test'] }, invalid('from')],
    ['from is a list', { ...email, from: 'ann@example.test, victim@other.test' }, invalid('from')],
    ['from is a group', { ...email, from: 'g: ann@example.test;' }, invalid('from')],
    ['to is a number', { ...email, to: 5 }, invalid('to')],
    ['to holds a number', { ...email, to: ['a@dest.test', 5] }, invalid('to')],
    ['to is empty', { ...email, to: [] }, invalid('to')],
    ['to is a list in one text', { ...email, to: 'a@x.test, b@y.test' }, invalid('to[0]')],
    ['to hides an address in a comment', { ...email, to: 'user@good.test(x)evil.test' }, invalid('to[0]')],
    ['to hides an address in quotes', { ...email, to: '"x@gmail.test y"@int' }, invalid('to[0]')],
    ['to is 10,000 groups', { ...email, to: 'a:'.repeat(10_000) }, invalid('to[0]')],
    ['to is 50,000 brackets', { ...email, to: '('.repeat(50_000) }, invalid('to[0]')],
    ['an address literal', { ...email, to: 'x@[127.0.0.1]' }, invalid('to[0]')],
    ['a host without a dot', { ...email, to: 'x@localhost' }, invalid('to[0]')],
    ['51 addresses in to', { ...email, to: addresses(51) }, invalid('to')],
    [
      '61 recipients of at most 60',
      { ...email, cc: addresses(60) },
      [422, 'validation_error', expect.anything()],
    ],
    ['text is true', { ...email, text: true }, invalid('text')],
    ['headers are a list', { ...email, headers: [['a', 'b']] }, invalid('headers')],
    ['a header is a number', { ...email, headers: { 'X-A': 5 } }, invalid('headers.X-A')],
    ['a tag with a space', { ...email, tags: [{ name: 'a b', value: 'c' }] }, invalid('tags[0].name')],
    ['a tag without a value', { ...email, tags: [{ name: 'a' }] }, required('tags[0].value')],
    ['a template beside its text', { ...email, template: { id: 'x' } }, invalid('text')],
    ['a template that is none', { ...email, text: undefined, template: 'x' }, invalid('template')],
    ['a topic', { ...email, topicId: 'x' }, invalid('topic_id')],
    ['a priority that is none', { ...email, priority: 'urgent' }, invalid('priority')],
    ['a priority by number', { ...email, priority: 10 }, invalid('priority')],
    ['a priority of the prototype', { ...email, priority: 'constructor' }, invalid('priority')],
    ['expiring at once', { ...email, expires_in: 0 }, invalid('expires_in')],
    ['expiring after half a second', { ...email, expires_in: 0.5 }, invalid('expires_in')],
    ['expiring after 31 days', { ...email, expires_in: '31d' }, invalid('expires_in')],
    ['expiring after a year', { ...email, expires_in: 31_536_000 }, invalid('expires_in')],
    ['expiring in words', { ...email, expires_in: 'soon' }, invalid('expires_in')],
    ['expiring in a list', { ...email, expires_in: [600] }, invalid('expires_in')],
    ['the pool of others', { ...email, ip_pool: 'default' }, invalid('ip_pool')],
    ['a priority that is none', { ...email, priority: 'urgent' }, invalid('priority')],
    ['a priority by number', { ...email, priority: 10 }, invalid('priority')],
    ['a priority of the prototype', { ...email, priority: 'constructor' }, invalid('priority')],
    ['expiring at once', { ...email, expires_in: 0 }, invalid('expires_in')],
    ['expiring after half a second', { ...email, expires_in: 0.5 }, invalid('expires_in')],
    ['expiring after 31 days', { ...email, expires_in: '31d' }, invalid('expires_in')],
    ['expiring after a year', { ...email, expires_in: 31_536_000 }, invalid('expires_in')],
    ['expiring in words', { ...email, expires_in: 'soon' }, invalid('expires_in')],
    ['expiring in a list', { ...email, expires_in: [600] }, invalid('expires_in')],
    ['the pool of others', { ...email, ip_pool: 'default' }, invalid('ip_pool')],
    ['scheduled in words', { ...email, scheduled_at: 'in 1 min' }, invalid('scheduled_at')],
    [
      'scheduled without a time zone',
      { ...email, scheduled_at: '2020-01-01T00:00:00' },
      invalid('scheduled_at'),
    ],
    ['scheduled on 30 February', { ...email, scheduled_at: '2027-02-30T00:00:00Z' }, invalid('scheduled_at')],
    [
      'scheduled at a leap second',
      { ...email, scheduled_at: '2016-12-31T23:59:60Z' },
      invalid('scheduled_at'),
    ],
    [
      'scheduled at the end of time',
      { ...email, scheduled_at: '+275760-09-13T00:00:00Z' },
      invalid('scheduled_at'),
    ],
    [
      'scheduled in 31 days',
      { ...email, scheduledAt: new Date(Date.now() + 31 * 86_400_000).toISOString() },
      invalid('scheduled_at'),
    ],
  ])('%s', async (_, body, [statusCode, name, message]) => {
    expect((await post(body)).body).toEqual({ statusCode, name, message })
  })
})

describe('characters that could break a header or the database', () => {
  const bad = ['\r', '\n', '\r\nBcc: evil@z.test', '\0', '\u2028', '\u2029', '\x1b', '\ud800']
  const places: [string, (text: string) => unknown][] = [
    ['from', (x) => ({ ...email, from: `Ann${x} <ann@example.test>` })],
    ['to', (x) => ({ ...email, to: `bob@dest.test${x}` })],
    ['a name in to', (x) => ({ ...email, to: `B${x}b <bob@dest.test>` })],
    ['cc', (x) => ({ ...email, cc: [`B${x}b <bob@dest.test>`] })],
    ['bcc', (x) => ({ ...email, bcc: `${x}bob@dest.test` })],
    ['reply_to', (x) => ({ ...email, reply_to: `B${x}b <bob@dest.test>` })],
    ['subject', (x) => ({ ...email, subject: `a${x}b` })],
    ['a header name', (x) => ({ ...email, headers: { [`X-A${x}`]: 'b' } })],
    ['a header value', (x) => ({ ...email, headers: { 'X-A': `b${x}c` } })],
    ['a tag', (x) => ({ ...email, tags: [{ name: 'a', value: `b${x}` }] })],
    ['a filename', (x) => attached({ filename: `a${x}.txt`, content: 'YQ==' })],
    ['a content type', (x) => attached({ filename: 'a', content: 'YQ==', content_type: `text/plain${x}` })],
    ['a content id', (x) => attached({ filename: 'a', content: 'YQ==', contentId: `a${x}` })],
  ]
  test.each(places)('%s: 422', async (_, withText) => {
    for (const text of bad) expect((await post(withText(text))).status).toBe(422)
  })

  test.each(['text', 'html'])('NUL and half a surrogate pair in %s: 422', async (field) => {
    for (const text of ['\0', '\ud800']) expect((await post({ ...email, [field]: text })).status).toBe(422)
  })
})

describe('headers that are not for the sender to set', () => {
  test.each([
    'Bcc',
    'bcc',
    'From',
    'Sender',
    'To',
    'CC',
    'Return-Path',
    'DKIM-Signature',
    'Received',
    'Content-Type',
    'MIME-Version',
    'Bcc ',
    ' Bcc',
    'B\u0441c',
    'Bcc:',
    'X-Postel-Send-At',
    'Resend-Idempotency-Key',
  ])('%j: 422', async (name) => {
    expect((await post({ ...email, headers: { [name]: 'evil@z.test' } })).status).toBe(422)
  })
})

describe('attachments', () => {
  test.each<[string, unknown, number]>([
    ['a path', { path: '/etc/passwd' }, 422],
    ['a path beside content', { path: 'https://x.test/a', filename: 'a', content: 'YQ==' }, 422],
    ['a file URL', { filename: 'a', path: 'file:///etc/passwd' }, 422],
    ['data as a URL', { filename: 'a', path: 'data:text/plain,x' }, 422],
    ['a path on this machine', { path: 'http://localhost/a' }, 422],
    ['a path to the metadata of the cloud', { path: 'https://169.254.169.254/latest/meta-data' }, 422],
    ['a path to a private network', { path: 'https://10.0.0.1/a' }, 422],
    ['a path in another notation', { path: 'https://0x7f000001/a' }, 422],
    ['a href', { filename: 'a', href: 'http://169.254.169.254/' }, 422],
    ['no content', { filename: 'a' }, 422],
    ['not base64', { filename: 'a', content: 'not base64!' }, 422],
    ['base64 cut short', { filename: 'a', content: 'YQ=' }, 422],
    ['0 bytes', { filename: 'a', content: '' }, 422],
    ['bytes that are none', { filename: 'a', content: { type: 'Buffer', data: [256] } }, 422],
    ['another object as content', { filename: 'a', content: { type: 'File', data: [1] } }, 422],
    ['a filename with a path', { filename: '../../x', content: 'YQ==' }, 422],
    ['a filename with a header', { filename: 'a"\r\nX:', content: 'YQ==' }, 422],
    ['a filename written from right to left', { filename: 'a\u202egnp.exe', content: 'YQ==' }, 422],
    ['too large', { filename: 'a', content: Buffer.alloc(200_001).toString('base64') }, 413],
  ])('%s', async (_, attachment, status) => {
    expect((await post(attached(attachment))).status).toBe(status)
  })

  test('1,000 attachments: 422', async () => {
    const attachments = Array.from({ length: 1_000 }, () => ({ filename: 'a', content: 'YQ==' }))
    expect((await post({ ...email, attachments })).status).toBe(422)
  })
})

describe('prototype keys', () => {
  test.each([
    ['in the body', '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}'],
    [
      'as required fields',
      '{"__proto__":{"from":"ann@example.test","to":"b@x.test","subject":"s","text":"t"}}',
    ],
    [
      'in headers',
      JSON.stringify({ ...email, to: [] }).replace('}', ',"headers":{"__proto__":{"isAdmin":true}}}'),
    ],
  ])('%s pollute nothing', async (_, body) => {
    expect((await post(body)).status).toBe(422)
  })

  test('in a query are ignored', async () => {
    const reply = await api.call('GET', '/emails?a[__proto__][isAdmin]=1&__proto__=x', { key: tenant.key })
    expect(reply.status).toBe(200)
  })
})

describe('what is too large or of another type', () => {
  test('a text over the limit: 413', async () => {
    expect((await post({ ...email, text: 'x'.repeat(200_001) })).status).toBe(413)
  })

  test('a body over the limit: 413', async () => {
    expect((await post({ ...email, text: 'x'.repeat(3_000_000) })).status).toBe(413)
  })

  test('a body over the limit without a length: 413', async () => {
    const chunk = Buffer.alloc(65_536, 'x')
    let left = 40
    const body = new ReadableStream({
      pull: (controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
    })
    const response = await fetch(`${api.url}/emails`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.key}`, 'content-type': 'application/json' },
      body,
      duplex: 'half',
    } as RequestInit)
    expect(response.status).toBe(413)
  })

  test('a compressed body: 415', async () => {
    expect((await post(Buffer.of(31, 139, 8), { 'content-encoding': 'gzip' })).status).toBe(415)
  })

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
  ])('%s: 415', async (type) => {
    expect((await post(email, { 'content-type': type })).status).toBe(415)
  })
})

describe('ids', () => {
  test.each([
    ['not a UUID', 'x', 422],
    ['a path', '..%2f..%2fetc', 422],
    ['NUL', '%00', 422],
    ['10 KB', 'a'.repeat(10_000), 422],
    ['SQL', "1'%20or%20'1'='1", 422],
    ['a wildcard', '%25', 422],
    ['a broken escape', '%zz', 400],
    ['nobody has it', '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e', 404],
    ['nil', '00000000-0000-0000-0000-000000000000', 404],
  ])('%s', async (_, id, status) => {
    expect((await api.call('GET', `/emails/${id}`, { key: tenant.key })).status).toBe(status)
  })
})

describe('list parameters', () => {
  test.each([
    'limit=0',
    'limit=-1',
    'limit=101',
    'limit=1e9',
    'limit=NaN',
    'limit=',
    'limit=1&limit=2',
    'after=x',
    'after=1%00',
    "before=';drop table postel.messages",
    'after=0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e&before=0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e',
  ])('%s: 422', async (query) => {
    expect((await api.call('GET', `/emails?${query}`, { key: tenant.key })).status).toBe(422)
  })
})

describe('routes and methods', () => {
  test.each([
    ['GET', '/nowhere', 404, 'not_found'],
    ['POST', '/', 404, 'not_found'],
    ['PUT', '/emails', 405, 'method_not_allowed'],
    ['DELETE', '/emails/0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e', 405, 'method_not_allowed'],
    ['GET', '/emails/batch', 405, 'method_not_allowed'],
    ['OPTIONS', '/emails', 405, 'method_not_allowed'],
  ])('%s %s: %i', async (method, path, status, name) => {
    expect(await api.call(method, path, { key: tenant.key })).toMatchObject({ status, body: { name } })
  })

  test('two slashes count as one', async () => {
    expect((await api.call('GET', '//emails//', { key: tenant.key })).status).toBe(200)
  })
})

describe('keys', () => {
  test.each([
    ['none', {}, 401, 'missing_api_key'],
    ['another scheme', { authorization: 'Basic YTpi' }, 401, 'missing_api_key'],
    ['an empty one', { authorization: 'Bearer ' }, 401, 'missing_api_key'],
    ['an unknown one', { authorization: 'Bearer pk_live_unknown' }, 403, 'invalid_api_key'],
    ['a very long one', { authorization: `Bearer ${'a'.repeat(10_000)}` }, 403, 'invalid_api_key'],
  ])('%s', async (_, headers, status, name) => {
    const reply = await api.call('POST', '/emails', { body: email, headers })
    expect(reply).toMatchObject({ status, body: { name } })
  })
})

describe('batches', () => {
  const batch = (body: unknown, mode?: string) =>
    api.call('POST', '/emails/batch', {
      key: tenant.key,
      body,
      ...(mode !== undefined && { headers: { 'x-batch-validation': mode } }),
    })

  test('one invalid email of 100 stores none and is named', async () => {
    const items = Array.from({ length: 100 }, (_, index) => (index === 50 ? { ...email, to: 'x' } : email))
    expect((await batch(items)).body).toMatchObject({
      statusCode: 422,
      message: expect.stringMatching(/^Email 50: Invalid `to\[0]` field\./),
    })
  })

  test.each<[string, unknown, string | undefined, number]>([
    ['an object', email, undefined, 422],
    ['empty', [], undefined, 422],
    ['101 emails', Array.from({ length: 101 }, () => email), undefined, 422],
    ['an email that is null', [null], undefined, 422],
    ['a sender of another', [{ ...email, from: 'x@other.test' }], undefined, 403],
    ['an attachment', [attached({ filename: 'a', content: 'YQ==' })], undefined, 422],
    ['a mode that is none', [email], 'lenient', 422],
  ])('%s', async (_, body, mode, status) => {
    expect((await batch(body, mode)).status).toBe(status)
  })

  test('a permissive batch in which nothing is valid stores nothing', async () => {
    const { status, body } = await batch([null, 5, {}], 'permissive')
    expect([status, body.data, body.errors.length]).toEqual([200, [], 3])
  })
})

test('error replies tell nothing about the server', async () => {
  const reply = await post('{')
  expect(reply.headers.get('x-powered-by')).toBeNull()
  expect(reply.headers.get('server')).toBeNull()
  expect(JSON.stringify(reply.body)).not.toMatch(/node_modules|\.ts|at .*:\d+|select|express/i)
})

test('a header section of 100 KB is refused and the server goes on', async () => {
  const status = await new Promise((resolve, reject) => {
    rawRequest(`${api.url}/emails`, { headers: { 'x-long': 'a'.repeat(100_000) } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', reject)
      .end()
  })
  expect(status).toBe(431)
  expect((await api.call('GET', '/emails', { key: tenant.key })).status).toBe(200)
})
