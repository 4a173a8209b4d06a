// The MX port takes what comes back about our own mail and nothing else: it is no relay, and hostile mail costs it little.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { returnToken } from '@postel/mail/return-path'
import { dsn, feedback, sendBack } from '../support/incoming.ts'
import { message, type Postel, startPostel } from '../support/postel.ts'
import { RawSmtp } from '../support/raw-smtp.ts'

let postel: Postel
let forwarding: Postel
/** The return path of a message that was delivered. */
let returnPath: string
let id: string

beforeAll(async () => {
  ;[postel, forwarding] = await Promise.all([
    startPostel({ inbound: { SMTP_MX_MESSAGES_PER_SECOND: '1000', SMTP_PROXY_PROTOCOL_FROM: '127.0.0.9' } }),
    startPostel({ inbound: { POSTMASTER_FORWARD_TO: 'ops@people.test', SMTP_MX_MESSAGES_PER_SECOND: '3' } }),
  ])
  id = await postel.submit({ to: 'reader@dest.test', data: message() })
  await postel.sql`update postel.deliveries set state = 'delivered', attempts = 1`
  await postel.sql`update postel.domains set return_path_verified_at = now()`
  returnPath = `${returnToken({ messageId: id, number: 1 }, Buffer.from(postel.secret, 'base64'))}@send.example.test`
})

afterAll(() => Promise.all([postel.stop(), forwarding.stop()]))

async function session(to: Postel = postel): Promise<RawSmtp> {
  const client = await RawSmtp.connect(to.ports.mx)
  await client.expect(220)
  return client
}

const mailCount = async (of: Postel) => {
  const [row] = await of.sql<{ count: number }[]>`select count(*)::int as count from postel.messages`
  return row!.count
}

test('EHLO offers STARTTLS and no AUTH, also over TLS', async () => {
  const client = await session()
  expect(await client.ehlo()).toEqual([
    'PIPELINING',
    '8BITMIME',
    'SMTPUTF8',
    'ENHANCEDSTATUSCODES',
    'STARTTLS',
    'SIZE 42991616',
  ])
  await client.say('AUTH PLAIN AHVzZXIAcGFzcw==', /^50[02] 5\.5\./)
  await client.starttls()
  expect(await client.ehlo()).not.toContain(expect.stringMatching(/AUTH|STARTTLS/))
  await client.say('MAIL FROM:<>', /^250 2\.1\.0 /)
  await client.say(`RCPT TO:<${returnPath}>`, /^250 2\.1\.5 /)
  await client.say('DATA', 354)
  client.write(`${dsn({ recipient: 'reader@dest.test', action: 'relayed', status: '2.0.0' })}.\r\n`)
  await client.expect(/^250 2\./)
  client.destroy()
})

test('a return path in capitals, as some systems write it', async () => {
  expect(
    await sendBack(postel, {
      to: returnPath.toUpperCase(),
      data: dsn({ recipient: 'x@y.test', action: 'delivered', status: '2.0.0' }),
    }),
  ).toMatch(/^250 /)
})

describe('no relay', () => {
  test.each([
    ['anybody', 'someone@dest.test'],
    ['our sender domain', 'someone@example.test'],
    ['a percent hack', 'someone%dest.test@example.test'],
    ['a source route', '@send.example.test:someone@dest.test'],
    ['a bang path', 'dest.test!someone@example.test'],
    ['a quoted address', '"someone@dest.test"@example.test'],
    ['an address literal', 'someone@[127.0.0.1]'],
    ['no domain', 'someone'],
    ['a role elsewhere', 'postmaster@dest.test'],
    ['somebody at the return path', 'someone@send.example.test'],
    ['somebody at our host', 'someone@mail.postel.test'],
    ['a percent hack at our host', 'someone%dest.test@mail.postel.test'],
    ['a token of another form', `b${'a'.repeat(42)}@send.example.test`],
  ])('to %s', async (_name, to) => {
    const before = await mailCount(postel)
    for (const from of ['', 'sender@example.test', 'reader@dest.test']) {
      const reply = await sendBack(postel, { from, to, data: message() })
      expect(reply).toMatch(/^5(?:50 5\.[17]\.1|01 5\.\d\.\d|53 5\.\d\.\d|55 5\.\d\.\d) /)
    }
    expect(await mailCount(postel)).toBe(before)
  })

  test('who guesses recipients is sent away after ten', async () => {
    const client = await session()
    await client.ehlo()
    await client.say('MAIL FROM:<>', 250)
    for (let guess = 0; guess < 10; guess++)
      await client.say(`RCPT TO:<guess-${guess}@send.example.test>`, /^550 5\.1\.1 /)
    await client.closed()
  })

  test('a person who writes there is told that nobody reads it, in the session and not by mail', async () => {
    const before = await mailCount(postel)
    const data = 'From: Ann <ann@dest.test>\r\nSubject: Hi\r\n\r\nHow are you?\r\n'
    expect(await sendBack(postel, { from: 'ann@dest.test', to: returnPath, data })).toMatch(/^550 5\.7\.1 /)
    expect(await mailCount(postel)).toBe(before)
  })
})

describe('the people behind it', () => {
  const letter = 'From: Ann <ann@dest.test>\r\nSubject: Your =?utf-8?q?h=C3=B6st?=\r\n\r\nPlease stop.\r\n'

  test('without POSTMASTER_FORWARD_TO nobody is there, and abuse takes complaints only', async () => {
    for (const to of ['postmaster@send.example.test', 'Postmaster@mail.postel.test'])
      expect(await sendBack(postel, { from: 'ann@dest.test', to, data: letter })).toMatch(/^550 5\.1\.1 /)
    for (const to of ['abuse@mail.postel.test', 'fbl@send.example.test']) {
      expect(await sendBack(postel, { from: 'ann@dest.test', to, data: letter })).toMatch(/^550 5\.7\.1 /)
      expect(
        await sendBack(postel, { from: 'ann@dest.test', to, data: feedback('Subject: x\r\n\r\n') }),
      ).toMatch(/^250 /)
    }
  })

  test('with it, their mail is sent on as an attachment of ours, once', async () => {
    await forwarding.sql`
      insert into postel.system_settings (key, value) values ('mail_from', 'Postel <postel@example.test>')`
    expect(await sendBack(forwarding, { from: 'ann@dest.test', to: 'postmaster', data: letter })).toMatch(
      /^250 /,
    )
    const [stored] = await forwarding.stored()
    expect(stored).toMatchObject({ from: 'postel@example.test', recipients: ['ops@people.test'] })
    expect(stored!.raw).toContain('\r\nAuto-Submitted: auto-generated\r\n')
    expect(stored!.raw).toContain(Buffer.from(letter.slice(0, 54)).toString('base64'))
    // It comes back to us: that is the end of it
    expect(await sendBack(forwarding, { from: 'x@y.test', to: 'postmaster', data: stored!.raw })).toMatch(
      /^550 5\.7\.1 /,
    )
    expect(await mailCount(forwarding)).toBe(1)
  })
})

test('a client that sends too much at once is asked to come later', async () => {
  const client = await session(forwarding)
  await client.ehlo()
  client.write('MAIL FROM:<>\r\nRSET\r\n'.repeat(10))
  const codes: number[] = []
  for (let replies = 0; replies < 20; replies++) codes.push((await client.reply()).code)
  expect(codes).toContain(451)
  client.destroy()
})

test('behind a balancer too', async () => {
  const client = await RawSmtp.connect(postel.ports.mx, {
    from: '127.0.0.9',
    header: 'PROXY TCP4 198.51.100.9 10.0.0.1 4000 25\r\n',
  })
  await client.expect(220)
  await client.ehlo()
  client.destroy()
})

test('a database that cannot be asked: 451, never a false 250 or 550', async () => {
  const broken = await startPostel()
  try {
    const mail = await broken.submit({ to: 'reader@dest.test', data: message() })
    const secret = Buffer.from(broken.secret, 'base64')
    const to = `${returnToken({ messageId: mail, number: 1 }, secret)}@send.example.test`
    const client = await session(broken)
    await client.ehlo()
    await client.say('MAIL FROM:<>', 250)
    await client.say(`RCPT TO:<${to}>`, 250)
    await broken.sql`alter table postel.events rename to gone`
    await client.say('DATA', 354)
    client.write(`${dsn({ recipient: 'reader@dest.test' })}.\r\n`)
    await client.expect(/^451 4\.3\.0 /)
    await broken.sql`alter table postel.messages rename to gone_too`
    await client.say('MAIL FROM:<>', 250)
    await client.say(`RCPT TO:<${to}>`, /^451 4\.3\.0 /)
    client.destroy()
  } finally {
    await broken.stop()
  }
})

describe('hostile mail', () => {
  const nested = (depth: number) =>
    Array.from(
      { length: depth },
      (_, level) => `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`,
    ).join('')
  const parts = (count: number) =>
    `Content-Type: multipart/report; boundary=b\r\n\r\n${'--b\r\n\r\n'.repeat(count)}--b--\r\n`

  test.each([
    ['10,000 nested multiparts', nested(10_000)],
    ['100,000 parts', parts(100_000)],
    ['one header of 5 MB', `Subject: ${'x'.repeat(5_000_000)}\r\n\r\n`],
    ['100,000 headers', `${'X-A: b\r\n'.repeat(100_000)}\r\n`],
    ['one folded header of 100,000 lines', `Subject: x\r\n${' y\r\n'.repeat(100_000)}\r\n`],
    ['a body of dashes', `Subject: failure notice\r\n\r\n${'-'.repeat(2_000_000)}\r\n`],
    ['a body of numbers', `Subject: failure notice\r\n\r\n${'550 '.repeat(500_000)}\r\n`],
    [
      'a body of one address',
      `Subject: failure notice\r\n\r\n${'a'.repeat(500_000)}@${'b.'.repeat(500_000)}\r\n`,
    ],
    [
      '100,000 recipients',
      dsn({
        recipient: `a@b.test\r\n\r\n${'Final-Recipient: rfc822; a@b.test\r\nAction: delivered\r\n\r\n'.repeat(20_000)}`,
      }),
    ],
    [
      'a status part in base64 that is noise',
      'Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n@@@@\r\n',
    ],
    [
      '8-bit noise',
      Array.from({ length: 100_000 }, (_, index) => String.fromCharCode((index * 7_919) & 255))
        .join('')
        .replace(/[\r\n]/g, ''),
    ],
    ['nothing', ''],
  ])('%s is answered, and costs little', async (_name, data) => {
    const before = process.cpuUsage()
    const reply = await sendBack(postel, { to: returnPath, data: data === '' ? '' : `${data}\r\n` })
    const { user, system } = process.cpuUsage(before)
    expect(reply).toMatch(/^(?:250|55\d) /)
    // At most 0.06 s on a usual machine, the client's side in it: this is for what is quadratic in 5 MB, not for speed
    expect((user + system) / 1000).toBeLessThan(10_000)
  })
})

test('a bounce with all of a large message in it', async () => {
  const { sql } = postel
  await sql`delete from postel.events where type = 'returned'`
  const original = `Subject: test\r\n\r\n${'0123456789'.repeat(7).concat('\r\n').repeat(50_000)}`
  const reply = await sendBack(postel, {
    to: returnPath,
    data: dsn({ recipient: 'reader@dest.test', original }),
  })
  expect(reply).toMatch(/^250 /)
  const rows = await sql`
    select e.data ->> 'category' as category from postel.events e where e.message_id = ${id} and e.type = 'returned'`
  expect([...rows]).toEqual([{ category: 'invalid_recipient' }])
})
