// What was submitted arrives at the recipient's server, byte for byte but for the header fields that an MTA adds.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitUntilEqual } from '../support/wait-for.ts'

let system: System

beforeAll(async () => {
  system = await startSystem()
})

afterAll(() => system.stop())

test('a message arrives as it was sent', async () => {
  const { postel, mx } = system
  const data = message(
    'First.\r\n..two dots\r\n.\r\n',
    'Date: Sat, 21 Nov 2026 12:00:00 +0000',
    'Message-ID: <1@x.test>',
  )
  const id = await postel.submit({ to: 'reader@dest.test', data })
  await waitUntilEqual(() => postel.states(id), ['reader@dest.test delivered'])
  expect(mx.envelopes).toEqual(['sender@example.test → reader@dest.test'])
  expect(mx.messages[0]!.content.replace(/^Received: .*\r\n\t.*\r\n/, '')).toBe(data)
})
