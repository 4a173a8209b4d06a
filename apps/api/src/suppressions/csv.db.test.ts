/** Suppression lists as CSV files: in, out, and opened in a spreadsheet. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { parse } from 'csv-parse/sync'
import { startApi, type TestApi } from '../testing/start-api.ts'
import { guardCell, unguardCell } from './csv.ts'

let api: TestApi
beforeAll(async () => {
  api = await startApi()
})
afterAll(() => api.stop())

async function upload(key: string, csv: string | Uint8Array, type = 'text/csv') {
  return api.call('POST', '/suppressions/import', { key, body: csv, headers: { 'content-type': type } })
}

async function download(
  key: string,
  query = '',
): Promise<{ response: Response; rows: Record<string, string>[] }> {
  const response = await fetch(`${api.url}/suppressions.csv${query}`, {
    headers: { authorization: `Bearer ${key}` },
  })
  return { response, rows: parse(await response.text(), { columns: true }) }
}

test('a list that was exported and imported elsewhere is the same list', async () => {
  const from = await api.tenant()
  const to = await api.tenant()
  const emails = [
    'plain@dest.test',
    '=cmd@dest.test',
    '+tag@dest.test',
    '-dash@dest.test',
    "'quote@dest.test",
    '"a,b"@dest.test',
  ]
  for (const email of emails)
    await api.call('POST', '/suppressions', {
      key: from.key,
      body: {
        email,
        reason: `=HYPERLINK("http://evil.test","${email}")`,
        expires_at: '2099-01-01T00:00:00Z',
      },
    })
  const { response, rows } = await download(from.key)
  expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8')
  expect(response.headers.get('content-disposition')).toBe('attachment; filename=suppressions.csv')
  expect(rows).toHaveLength(emails.length)
  for (const row of rows) for (const cell of Object.values(row)) expect(cell).not.toMatch(/^[=+\-@\t\r]/)

  const text = await (
    await fetch(`${api.url}/suppressions.csv`, { headers: { authorization: `Bearer ${from.key}` } })
  ).text()
  expect((await upload(to.key, text)).body).toEqual({
    object: 'suppression_import',
    rows: emails.length,
    added: emails.length,
    invalid: 0,
    problems: [],
  })
  const told = async (key: string) =>
    (await api.call('GET', '/suppressions', { key })).body.data
      .map((one: { email: string; reason: string; expires_at: string }) => [
        one.email,
        one.reason,
        one.expires_at,
      ])
      .sort()
  expect(await told(to.key)).toEqual(await told(from.key))
  expect((await told(to.key)).map(([email]: string[]) => email)).toEqual([...emails].sort())
})

test.each([
  ['=1+1', "'=1+1"],
  ['@x', "'@x"],
  ['\t=x', "'\t=x"],
  ["'=x", "''=x"],
  ["'x", "'x"],
  ['x=', 'x='],
  ['', ''],
])('a cell %j is written as %j, and read as it was', (cell, written) => {
  expect(guardCell(cell)).toBe(written)
  expect(unguardCell(written)).toBe(cell)
})

test('a file without a line of names, with a BOM, CRLF, repeats and bad lines', async () => {
  const { key } = await api.tenant()
  const csv =
    '\ufeffone@dest.test,x\r\nTWO@dest.test\r\n\r\nnot an address\r\none@dest.test\r\nthree@bücher.test\r\n'
  expect((await upload(key, csv)).body).toEqual({
    object: 'suppression_import',
    rows: 5,
    added: 3,
    invalid: 1,
    problems: [{ line: 4, message: expect.any(String) }],
  })
  const { rows } = await download(key, '?origin=import')
  expect(rows.map(({ email }) => email).sort()).toEqual([
    'one@dest.test',
    'three@xn--bcher-kva.test',
    'two@dest.test',
  ])
  expect((await upload(key, csv)).body).toMatchObject({ rows: 5, added: 0 })
})

test('more than one page of lines goes in and comes out', async () => {
  const { key, organizationId } = await api.tenant()
  const count = 5_500
  const lines = Array.from({ length: count }, (_, index) => `bounced,u${index}@dest.test`)
  expect((await upload(key, `reason,Email_Address\n${lines.join('\n')}`)).body).toMatchObject({
    added: count,
    invalid: 0,
  })
  const { rows } = await download(key)
  expect(new Set(rows.map(({ email }) => email)).size).toBe(count)
  const [log] = await api.sql`
    select count(*)::int as lines, sum((l.details ->> 'added')::int)::int as added from postel.audit_log l
    where l.organization_id = ${organizationId} and l.action = 'suppression.imported'`
  expect(log).toEqual({ lines: 6, added: count })
})

test.each<[string, string | Uint8Array, string, number]>([
  ['an open quote', 'email\n"a@dest.test\n', 'text/csv', 422],
  ['a line without end', `email\n${'a'.repeat(30_000)}`, 'text/csv', 422],
  ['not UTF-8', Uint8Array.of(0xff, 0xfe, 0x00), 'text/csv', 400],
  ['JSON', '{}', 'application/json', 415],
  ['too large', Buffer.alloc(16 * 1024 * 1024 + 1, 'a'), 'text/csv', 413],
])('refused: %s', async (_name, csv, type, status) => {
  const { key } = await api.tenant()
  expect((await upload(key, csv, type)).status).toBe(status)
})

test('a file of nothing adds nothing', async () => {
  const { key } = await api.tenant()
  expect((await upload(key, '')).body).toMatchObject({ rows: 0, added: 0 })
})
