// Limits over SMTP: temporary where waiting helps, with the time to wait for; for good where an operator has stopped the sender.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Postel, startPostel } from '../support/postel.ts'
import type { RawSmtp } from '../support/raw-smtp.ts'

let postel: Postel
let domains = 0

beforeAll(async () => {
  postel = await startPostel()
})
afterAll(() => postel.stop())

type Sender = { domain: string; client: RawSmtp }

/** An organization of its own with these columns, and a session of it. */
async function senderWith(columns: Record<string, unknown>): Promise<Sender> {
  const domain = `d${++domains}.test`
  const key = await postel.addOrganization(domain)
  await postel.sql`
    update postel.organizations set ${postel.sql(columns)}
    where id = (select organization_id from postel.domains where name = ${domain})`
  const client = await postel.session('STARTTLS')
  expect(await client.authPlain(key)).toBe(235)
  return { domain, client }
}

async function send({ domain, client }: Sender): Promise<string> {
  await client.startData('reader@dest.test', `a@${domain}`)
  client.write(`From: a@${domain}\r\nSubject: x\r\n\r\nbody\r\n.\r\n`)
  return (await client.reply()).lines.join('\n')
}

test('mail beyond the month is put off until the next, and the session goes on', async () => {
  const sender = await senderWith({ monthly_recipients: 2 })
  expect([await send(sender), await send(sender)].map((reply) => reply.slice(0, 3))).toEqual(['250', '250'])
  expect(await send(sender)).toMatch(
    /^451 4\.7\.1 The quota of 2 recipients a month is used up until \d{4}-\d\d-01 00:00 UTC/,
  )
  expect(await send(sender)).toMatch(/^451 4\.7\.1 /)
})

test('mail beyond the rate is put off', async () => {
  const sender = await senderWith({ recipients_per_second: 1 })
  const replies: string[] = []
  while (replies.length < 20 && !replies.at(-1)?.startsWith('451')) replies.push(await send(sender))
  expect(replies[0]).toMatch(/^250 /)
  expect(replies.at(-1)).toMatch(/^451 4\.7\.0 Too much mail at once: the limit is 1 recipients a second/)
})

test.each([
  ['no_receiving', /^550 5\.7\.1 This organization may not submit mail: spam/],
  ['frozen', /^550 5\.7\.1 This organization is frozen: spam/],
  ['no_sending', /^250 /],
])('an organization that is %s', async (status, reply) => {
  const sender = await senderWith({ status, status_reason: 'spam' })
  const answer = await send(sender)
  expect(answer).toMatch(reply)
  const id = /queued as (\S+)/.exec(answer)?.[1]
  if (id) expect(await postel.states(id)).toEqual(['reader@dest.test held'])
})
