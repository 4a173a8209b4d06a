// Slow clients and crowds are ended with 421 and cost the others nothing.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { message, type Postel, startPostel } from '../support/postel.ts'
import { waitFor } from '../support/wait-for.ts'

let postel: Postel
/** For whom only its places count: nobody is ended because a test was slow. */
let crowded: Postel

beforeAll(async () => {
  ;[postel, crowded] = await Promise.all([
    // A pause of the machine in mid-session is shorter
    startPostel({ inbound: { SMTP_IDLE_SECONDS: '4' } }),
    startPostel({ inbound: { SMTP_MAX_CONNECTIONS: '4' } }),
  ])
})

afterAll(() => Promise.all([postel.stop(), crowded.stop()]))

test('a client that says nothing gets 421', async () => {
  const client = await postel.session()
  await client.expect(/^421 4\.4\.2 /)
  await client.closed()
})

test('a client that drips a command byte by byte gets 421', async () => {
  const client = await postel.session()
  const timer = setInterval(() => client.write('N'), 100)
  await client.expect(/^421 4\.4\.2 /)
  clearInterval(timer)
  await client.closed()
})

test('a client that stops in mid-message gets 421 and nothing is stored', async () => {
  const client = await postel.session()
  await client.startData()
  client.write(message())
  await client.expect(/^421 4\.4\.2 /)
  await client.closed()
  expect(await postel.stored()).toEqual([])
})

test('one connection too many gets 421, and a place that becomes free is taken', async () => {
  const clients = await Promise.all(Array.from({ length: 4 }, () => crowded.connect()))
  for (const client of clients) await client.expect(220)
  const refused = await crowded.connect()
  await refused.expect(/^421 4\.7\.0 /)
  await refused.closed()
  for (const client of clients) client.destroy()
  await waitFor(async () => {
    const next = await crowded.connect()
    const { code } = await next.reply()
    next.destroy()
    return code === 220
  })
})
