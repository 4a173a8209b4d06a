/** Mistakes in our own code: a message that meets one is put aside, its session may end, and everything else goes on. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { inconsistencies } from '@postel/db/testing/factories'
import { AppProcess } from '../ledger/app-process.ts'
import { SmtpClient } from '../ledger/smtp-client.ts'
import { ownPort } from '../support/ports.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

const directory = mkdtempSync(join(tmpdir(), 'postel-poison-'))
const hooks = new URL('../ledger/faulty-modules.ts', import.meta.url).href
let system: System
let outbound: AppProcess
let inbound: AppProcess
let port: number

beforeAll(async () => {
  // Without 8BITMIME what is 8-bit has to be converted
  system = await startSystem({
    outbound: false,
    mx: { extensions: ['PIPELINING'] },
    dkim: ['ed25519-sha256'],
  })
  port = await ownPort()
  const env = {
    DATABASE_URL: system.postel.databaseUrl,
    POSTEL_UNSAFE_DATABASE: 'true',
    POSTEL_SECRET: system.postel.secret,
    DELIVERY_ALLOW_PRIVATE: 'true',
    OUTBOUND_ADDRESSES: '127.0.0.1',
    NODE_NAME: 'poison',
    METRICS_PORT: '0',
    SMTP_HOST: '127.0.0.1',
    SMTP_SUBMISSION_PORT: `${port}`,
    SMTP_SUBMISSIONS_PORT: '0',
    SMTP_MX_PORT: '0',
    NODE_OPTIONS: `--import=${hooks}`,
    ...system.outboundEnv,
  }
  outbound = new AppProcess('outbound', 'outbound', env, join(directory, 'outbound.log'))
  inbound = new AppProcess('inbound', 'inbound', env, join(directory, 'inbound.log'))
  await Promise.all([outbound.start(), inbound.start()])
})

afterAll(async () => {
  await Promise.all([outbound.end('SIGKILL'), inbound.end('SIGKILL')])
  await system.stop()
  rmSync(directory, { recursive: true })
})

/** 8-bit text, which has to be converted, with a word that meets a mistake. */
function latin1(word = ''): string {
  const fields = [
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=iso-8859-1',
    'Content-Transfer-Encoding: 8bit',
  ]
  return message(`caf\xe9 ${word}\r\n`, ...fields)
}

async function othersFlow(): Promise<void> {
  const id = await system.postel.submit({ to: 'other@dest.test', data: latin1() })
  expect(await system.postel.finalStates(id)).toEqual(['other@dest.test delivered'])
}

test.each(['toSevenBit', 'signDkim'])(
  'outbound throws in %s for a message: it is held after five tries, and others go on (C-35, C-36)',
  async (name) => {
    const { postel } = system
    const id = await postel.submit({ to: 'poison@dest.test', data: latin1(`THROW-${name}`) })
    for (let tries = 1; tries <= 4; tries++) {
      await waitFor(async () => {
        const [delivery] = await postel.deliveries(id)
        return delivery!.state === 'deferred' && delivery!.attempts === tries
      })
      await othersFlow()
      await postel.retry(id)
    }
    await waitFor(async () => (await postel.states(id))[0] === 'poison@dest.test held')
    const [delivery] = await postel.deliveries(id)
    expect(delivery).toMatchObject({ attempts: 5 })
    expect(delivery!.reply).toContain(`a mistake in ${name}`)
    expect((await postel.attempts(id)).map(({ inDoubt }) => inDoubt)).toEqual(Array(5).fill(false))
    await othersFlow()
    expect(outbound.surprises).toEqual([])
    expect(await inconsistencies(postel.sql)).toEqual([])
  },
)

test('a message kills outbound each time: after five deaths it is held, and others go on (C-35)', async () => {
  const { postel } = system
  const id = await postel.submit({ to: 'killer@dest.test', data: latin1('KILL-toSevenBit') })
  const deaths = () => outbound.surprises.length
  let seen = 0
  await waitFor(async () => {
    const [state] = await postel.states(id)
    if (state === 'killer@dest.test deferred') await postel.retry(id)
    if (deaths() > seen) {
      seen = deaths()
      // As a supervisor does
      await postel.sql`select postel.expire_holders('poison')`
      await outbound.start()
      if (seen > 1) await othersFlow()
    }
    return state === 'killer@dest.test held'
  }, 60)
  expect(seen).toBeGreaterThanOrEqual(5)
  // The first may come before it was written down that the message is in flight, and then does not count
  expect(seen).toBeLessThanOrEqual(6)
  await othersFlow()
  expect(await inconsistencies(postel.sql)).toEqual([])
  outbound.surprises.length = 0
})

test('inbound throws in the handler of a command or of a message: only that session suffers (C-36)', async () => {
  const bystander = await SmtpClient.open(port)
  const data = await SmtpClient.open(port)
  for (const command of ['MAIL FROM:<sender@example.test>', 'RCPT TO:<a@dest.test>', 'DATA'])
    await data.ask(command)
  expect((await data.ask(`${message('THROW-normaliseMessage\r\n')}.`)).text).toMatch(/^451 4\.3\.0 /)

  const command = await SmtpClient.open(port)
  await command.ask('MAIL FROM:<sender@example.test>')
  expect((await command.ask('RCPT TO:<THROW-parseMailbox@dest.test>')).text).toMatch(/^4[25]1 4\.3\.0 /)

  for (const line of ['MAIL FROM:<sender@example.test>', 'RCPT TO:<b@dest.test>', 'DATA'])
    await bystander.ask(line)
  expect((await bystander.ask(`${message()}.`)).code).toBe(250)
  expect(inbound.surprises).toEqual([])
})
