// A remote that lacks an extension gets only what it can take, and never something else than it agreed to.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { MxScript } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System

beforeAll(async () => {
  system = await startSystem()
})

afterAll(() => system.stop())

async function send(script: MxScript, data: string, to = 'reader', mailParameters = '') {
  const { postel, mx } = system
  mx.script = script
  const client = await postel.session()
  await client.say(`MAIL FROM:<sender@example.test>${mailParameters}`, 250)
  await client.say(`RCPT TO:<${to}@${system.freshDomain()}>`, 250)
  await client.say('DATA', 354)
  client.write(`${data}.\r\n`)
  const id = /queued as (\S+)/.exec(await client.expect(250))![1]!
  const [delivery] = await postel.settled(id)
  const [attempt] = await postel.attempts(id)
  return { state: delivery!.state, enhanced: attempt!.enhanced, mail: mx.messages.at(-1)?.commands[0] }
}

test('8-bit content that cannot be converted is not sent raw to a remote without 8BITMIME: 5.6.3', async () => {
  expect(await send({ extensions: [] }, message('na\xefve\r\n'))).toMatchObject({
    state: 'bounced',
    enhanced: '5.6.3',
  })
})

test('8-bit content to a remote with 8BITMIME says so', async () => {
  const { state, mail } = await send({ extensions: ['8BITMIME'] }, message('na\xc3\xafve\r\n'))
  expect([state, mail]).toEqual(['delivered', 'MAIL FROM:<sender@example.test> BODY=8BITMIME'])
})

test('an internationalised address to a remote without SMTPUTF8 is not sent: 5.6.7', async () => {
  const to = Buffer.from('ü').toString('latin1')
  expect(await send({ extensions: [] }, message(), to, ' SMTPUTF8')).toMatchObject({
    state: 'bounced',
    enhanced: '5.6.7',
  })
})

test('UTF-8 headers to a remote with SMTPUTF8 say so', async () => {
  const { state, mail } = await send({ extensions: ['SMTPUTF8'] }, message('x\r\n', 'X-A: caf\xc3\xa9'))
  expect([state, mail]).toEqual(['delivered', 'MAIL FROM:<sender@example.test> SMTPUTF8'])
})

test('a message over the remote SIZE is not sent: 5.3.4', async () => {
  expect(await send({ extensions: ['SIZE 100'] }, message(`${'x'.repeat(200)}\r\n`))).toMatchObject({
    state: 'bounced',
    enhanced: '5.3.4',
  })
})

test.each<[string, MxScript]>([
  ['no extensions at all', { extensions: [] }],
  ['HELO only', { ehlo: ['502 5.5.1 what', '250 fake.test'] }],
])('a remote with %s', async (_name, script) => {
  const { state, mail } = await send(script, message())
  expect([state, mail]).toEqual(['delivered', 'MAIL FROM:<sender@example.test>'])
})

test('DSN parameters travel to a remote that has DSN, and only there', async () => {
  const { mail } = await send({ extensions: ['DSN'] }, message(), 'reader', ' RET=HDRS ENVID=abc')
  expect(mail).toBe('MAIL FROM:<sender@example.test> RET=HDRS ENVID=abc')
  const plain = await send({ extensions: [] }, message(), 'reader', ' RET=HDRS ENVID=abc')
  expect(plain.mail).toBe('MAIL FROM:<sender@example.test>')
})
