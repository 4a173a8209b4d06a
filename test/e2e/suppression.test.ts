// A recipient that does not exist gets no second message: not by SMTP, not from psql, however its address is written.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({
    worker: {},
    mx: {
      rcpt: {
        'gone@dest.test': '550 5.1.1 The email account that you tried to reach does not exist',
        'full@dest.test': '552 5.2.2 Mailbox full',
        'spam@dest.test': '550 5.7.1 Message rejected as spam',
      },
    },
  })
})

afterAll(() => system.stop())

const listed = () =>
  system.postel.sql<{ address: string; origin: string; reason: string; messageId: string }[]>`
    select s.address, s.origin, s.reason, s.message_id as "messageId" from postel.suppressions s order by s.address`

test('a hard bounce puts its recipient on the list, and every way of sending keeps to it', async () => {
  const { postel } = system
  const to = ['gone@dest.test', 'full@dest.test', 'spam@dest.test', 'there@dest.test']
  const id = await postel.submit({ to, data: message() })
  await postel.settled(id)
  // The minute's run is the first one of a fresh system
  await postel.sql`select graphile_worker.add_job('suppressions')`
  const [first] = await waitFor(async () => ((await listed()).length > 0 ? listed() : undefined))
  expect(first).toEqual({
    address: 'gone@dest.test',
    origin: 'bounce',
    reason: expect.stringContaining('does not exist'),
    messageId: id,
  })
  expect(await listed()).toHaveLength(1)

  const bySmtp = await postel.submit({
    to: ['GONE@Dest.Test', '"gone"@dest.test', 'gone+tag@dest.test'],
    data: message(),
  })
  expect(await postel.finalStates(bySmtp)).toEqual([
    'GONE@dest.test suppressed',
    'gone@dest.test suppressed',
    'gone+tag@dest.test delivered',
  ])
  const [{ id: byPsql }] = (await postel.sql`
    select postel.send('a@example.test', array['Gone@DEST.test'], 'x', 'x') as id`) as unknown as [
    { id: string },
  ]
  expect(await postel.states(byPsql)).toEqual(['Gone@dest.test suppressed'])
})
