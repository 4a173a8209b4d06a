// UTF-8 headers and addresses: as they are where SMTPUTF8 is offered, in ASCII where that says the same, else a bounce.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { simpleParser } from 'mailparser'
import { dkimResults } from '../support/dkim-verifier.ts'
import type { FakeMx } from '../support/fake-mx.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System
/** The first takes UTF-8, the second 8 bits in the body, the third neither. */
let mxs: [FakeMx, FakeMx, FakeMx]

beforeAll(async () => {
  const zone = (host: string) => ({ MX: [[10, host] as const] })
  system = await startSystem({
    dkim: ['rsa-sha256', 'ed25519-sha256'],
    mx: [{ extensions: ['8BITMIME', 'SMTPUTF8'] }, { extensions: ['8BITMIME'] }, { extensions: [] }],
    zones: {
      'utf8.test': zone('mx1.remote.test'),
      'eight.test': zone('mx2.remote.test'),
      'seven.test': zone('mx3.remote.test'),
      'xn--bcher-kva.test': zone('mx3.remote.test'),
    },
  })
  mxs = system.mxs as typeof mxs
})

afterAll(() => system.stop())

const latin1 = (text: string) => Buffer.from(text).toString('latin1')

async function submit(to: string[], data: string, mailParameters = ''): Promise<string> {
  const client = await system.postel.session()
  await client.say(`MAIL FROM:<sender@example.test>${mailParameters}`, 250)
  for (const recipient of to) await client.say(`RCPT TO:<${latin1(recipient)}>`, 250)
  await client.say('DATA', 354)
  client.write(`${data}.\r\n`)
  return /queued as (\S+)/.exec(await client.expect(250))![1]!
}

const everywhere = ['a@utf8.test', 'a@eight.test', 'a@seven.test']
const enhanced = async (id: string) =>
  (await system.postel.attempts(id)).sort((a, b) => a.number - b.number).map((attempt) => attempt.enhanced)

test('a subject and names in UTF-8 read the same at every remote, and signatures hold', async () => {
  const { postel } = system
  const fields = ['From: Zoë <sender@example.test>', 'To: "Lee, Ä" <a@x.test>, b@x.test', 'Subject: Grüße 😀']
  const type = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8'
  const data = latin1(`${fields.join('\r\n')}\r\n${type}\r\n\r\nGrüße\r\n`)
  const id = await submit(everywhere, data)
  expect(await postel.finalStates(id)).toEqual(everywhere.map((recipient) => `${recipient} delivered`))
  const received = mxs.map((mx) => mx.messages.at(-1)!)
  expect(received.map(({ commands }) => commands[0]!.replace('MAIL FROM:<sender@example.test>', ''))).toEqual(
    [' BODY=8BITMIME SMTPUTF8', ' BODY=8BITMIME', ''],
  )
  const header = (content: string) => content.slice(0, content.indexOf('\r\n\r\n'))
  expect(received[0]!.content).toContain(latin1(fields.join('\r\n')))
  expect(header(received[1]!.content) + received[2]!.content).not.toMatch(/[^\0-\x7f]/)
  expect(received[1]!.content).toContain(latin1('\r\n\r\nGrüße\r\n'))
  const original = await simpleParser(Buffer.from(data, 'latin1'))
  for (const { content } of received) {
    const mail = await simpleParser(Buffer.from(content, 'latin1'))
    expect([mail.subject, mail.from, mail.text]).toEqual([original.subject, original.from, original.text])
    expect([mail.to].flat()[0]!.value).toEqual([original.to].flat()[0]!.value)
    expect(await dkimResults(postel.sql, content)).toEqual(['ed25519-sha256 pass', 'rsa-sha256 pass'])
  }
})

test('a header that has no form in ASCII goes only where UTF-8 is taken: 5.6.9', async () => {
  const id = await submit(everywhere, message('x\r\n', latin1('References: <ü@x.test>')))
  expect(await system.postel.finalStates(id)).toEqual([
    'a@utf8.test delivered',
    'a@eight.test bounced',
    'a@seven.test bounced',
  ])
  expect(await enhanced(id)).toEqual(['2.0.0', '5.6.9', '5.6.9'])
})

test('an address that is not ASCII goes only where UTF-8 is taken: 5.6.7', async () => {
  const to = ['ü@utf8.test', 'ü@eight.test', 'ü@seven.test']
  const id = await submit(to, message(latin1('ü\r\n')), ' SMTPUTF8')
  expect(await system.postel.finalStates(id)).toEqual([
    'ü@utf8.test delivered',
    'ü@eight.test bounced',
    'ü@seven.test bounced',
  ])
  expect(await enhanced(id)).toEqual(['2.0.0', '5.6.7', '5.6.7'])
})

test("one recipient's address does not keep the message from the others (5.6.7)", async () => {
  const to = ['ü@seven.test', 'b@seven.test', 'ä@seven.test', 'c@seven.test']
  const id = await submit(to, message('x\r\n'), ' SMTPUTF8')
  expect(await system.postel.finalStates(id)).toEqual([
    'ü@seven.test bounced',
    'b@seven.test delivered',
    'ä@seven.test bounced',
    'c@seven.test delivered',
  ])
  expect(await enhanced(id)).toEqual(['5.6.7', '2.0.0', '5.6.7', '2.0.0'])
  expect(mxs[2].messages.at(-1)!.to).toEqual(['b@seven.test', 'c@seven.test'])
})

test('a client that says SMTPUTF8 for an ASCII message reaches remotes without it', async () => {
  const id = await submit(everywhere, message('x\r\n'), ' SMTPUTF8')
  expect(await system.postel.finalStates(id)).toEqual(everywhere.map((recipient) => `${recipient} delivered`))
  expect(mxs[2].messages.at(-1)!.commands[0]).toBe('MAIL FROM:<sender@example.test>')
})

test('an internationalised domain is reached by its A-labels', async () => {
  const id = await submit(['a@bücher.test'], message('x\r\n'), ' SMTPUTF8')
  expect(await system.postel.finalStates(id)).toEqual(['a@xn--bcher-kva.test delivered'])
  expect(mxs[2].messages.at(-1)!.to).toEqual(['a@xn--bcher-kva.test'])
})
