// Submission takes the parameters of RFC 3461: valid ones are kept with the message, others get 501 5.5.4.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { channels, message, type Postel, startPostel } from '../support/postel.ts'

let postel: Postel

beforeAll(async () => {
  postel = await startPostel()
})

afterAll(() => postel.stop())

async function keptOf(mail: string, ...recipients: string[]): Promise<unknown> {
  const client = await postel.session()
  await client.say(`MAIL FROM:<sender@example.test>${mail}`, 250)
  for (const recipient of recipients) await client.say(`RCPT TO:${recipient}`, 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  const id = /queued as (\S+)/.exec(await client.expect(250))![1]!
  client.destroy()
  const [row] = await postel.sql`select details -> 'dsn' as dsn from postel.messages where id = ${id}`
  return row!.dsn
}

describe('kept', () => {
  test.each<[string, string, string[], unknown]>([
    ['nothing, when nothing was said', '', ['<a@dest.test>'], null],
    [
      'what was said of the message, decoded',
      ' RET=hdrs ENVID=job+2B7+20a',
      ['<a@dest.test>'],
      { ret: 'HDRS', envid: 'job+7 a', recipients: {} },
    ],
    [
      'what was said of each recipient',
      '',
      ['<a@dest.test> NOTIFY=success,DELAY,SUCCESS', '<b@dest.test>', '<c@DEST.test> NOTIFY=NEVER'],
      { recipients: { 'a@dest.test': { notify: 'SUCCESS,DELAY' }, 'c@dest.test': { notify: 'NEVER' } } },
    ],
    [
      'an original recipient, decoded',
      '',
      ['<a@dest.test> ORCPT=rfc822;a+2Bb@dest.test'],
      { recipients: { 'a@dest.test': { orcpt: 'rfc822;a+b@dest.test' } } },
    ],
    [
      'an original recipient in UTF-8, in the form that is ASCII',
      ' SMTPUTF8',
      ['<a@dest.test> ORCPT=utf-8;\u00c3\u00bc@dest.test'],
      { recipients: { 'a@dest.test': { orcpt: 'utf-8;\\x{FC}@dest.test' } } },
    ],
  ])('%s', async (_name, mail, recipients, kept) => {
    expect(await keptOf(mail, ...recipients)).toEqual(kept)
  })
})

describe.each(channels)('refused over %s', (channel) => {
  test('with what to do, and the session goes on', async () => {
    const client = await postel.session(channel)
    const mail = 'MAIL FROM:<sender@example.test>'
    const rcpt = 'RCPT TO:<a@dest.test>'
    const refusals: string[] = []
    const refuse = async (line: string) => refusals.push((await client.say(line, 501)).trim())
    await refuse(`${mail} RET=SOME`)
    await refuse(`${mail} ENVID=a+0D+0Ab`)
    await refuse(`${mail} ENVID=a ENVID=b`)
    await client.say(`${mail} RET=FULL ENVID=a`, 250)
    await refuse(`${rcpt} NOTIFY=NEVER,DELAY`)
    await refuse(`${rcpt} ORCPT=a@dest.test`)
    await refuse(`${rcpt} NOTIFY=DELAY NOTIFY=DELAY`)
    await client.say(`${rcpt} NOTIFY=DELAY`, 250)
    expect(refusals).toEqual([
      '501 5.5.4 RET is FULL or HDRS',
      '501 5.5.4 ENVID is 1 to 100 printable ASCII characters, with + as +2B and = as +3D',
      '501 5.5.4 ENVID is given twice: give it once',
      '501 5.5.4 NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY',
      '501 5.5.4 ORCPT is an address type and an address, with + as +2B and = as +3D: ORCPT=rfc822;user@example.com',
      '501 5.5.4 NOTIFY is given twice: give it once',
    ])
  })
})

test('EHLO offers DSN', async () => {
  const client = await postel.connect()
  await client.expect(220)
  expect(await client.ehlo()).toContain('DSN')
})
