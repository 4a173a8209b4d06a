// Priority, expiry and pool are asked for in headers, which go no further; what cannot be granted is refused, not ignored.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Postel, startPostel } from '../support/postel.ts'

let postel: Postel
let pool: string

beforeAll(async () => {
  postel = await startPostel()
  await postel.sql`update postel.projects set priority = 90, expire_after_seconds = 86400`
  const [row] = await postel.sql`select name from postel.ip_pools where is_default`
  pool = row!.name
  await postel.sql`insert into postel.ip_pools (name) values ('elsewhere')`
})

afterAll(() => postel.stop())

async function send(...headers: string[]): Promise<string> {
  const client = await postel.session()
  await client.startData()
  client.write(`${['From: sender@example.test', 'Subject: x', ...headers].join('\r\n')}\r\n\r\nbody\r\n.\r\n`)
  return (await client.reply()).lines.join('\n')
}

test.each<[string, string[], number, number]>([
  ["nothing: the project's", [], 90, 86_400],
  ['high', ['X-Postel-Priority: high'], 10, 86_400],
  ['normal, folded, in any case', ['x-postel-PRIORITY:\r\n Normal'], 50, 86_400],
  ['ten minutes', ['X-Postel-Expires-In: 10m'], 90, 600],
  ['seconds and low', ['X-Postel-Expires-In: 90', 'X-Postel-Priority: low'], 90, 90],
  ['longer than the project allows', ['X-Postel-Expires-In: 30d'], 90, 86_400],
])('%s', async (_name, headers, priority, seconds) => {
  const reply = await send(...headers)
  const id = /^250 .*queued as (\S+)/.exec(reply)![1]!
  const [row] = await postel.sql`
    select q.priority::int, extract(epoch from m.expires_at - m.created_at)::int as seconds, q.expires_at = m.expires_at as same
    from postel.messages m join postel.queue q on q.message_id = m.id where m.id = ${id}`
  expect(row).toEqual({ priority, seconds, same: true })
  expect((await postel.stored()).at(-1)!.raw).not.toMatch(/x-postel/i)
})

test('the pool of the project may be named, and goes no further', async () => {
  expect(await send(`X-Postel-Pool: ${pool}`)).toMatch(/^250 /)
  expect((await postel.stored()).at(-1)!.raw).not.toMatch(/x-postel/i)
})

test.each([
  ['a priority that is none', ['X-Postel-Priority: urgent'], /^550 5\.6\.0 .*high, normal or low/],
  ['an empty priority', ['X-Postel-Priority:'], /^550 5\.6\.0 .*high, normal or low/],
  ['two priorities', ['X-Postel-Priority: low', 'X-Postel-Priority: low'], /^550 5\.6\.0 .*twice/],
  ['a lifetime that is none', ['X-Postel-Expires-In: soon'], /^550 5\.6\.0 .*like 600, 10m, 2h or 3d/],
  ['no time at all', ['X-Postel-Expires-In: 0'], /^550 5\.6\.0 .*at least a second/],
  ['more than 30 days', ['X-Postel-Expires-In: 31d'], /^550 5\.6\.0 .*30 days/],
  ['the pool of others', ['X-Postel-Pool: elsewhere'], /^550 5\.7\.1 .*sends from pool \S+ only/],
  ['a pool that is none', ['X-Postel-Pool: nowhere'], /^550 5\.7\.1 .*sends from pool \S+ only/],
])('%s is refused, and nothing is stored', async (_name, headers, reply) => {
  const before = (await postel.stored()).length
  expect(await send(...headers)).toMatch(reply)
  expect(await postel.stored()).toHaveLength(before)
})
