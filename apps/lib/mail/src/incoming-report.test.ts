/** What came back, read: replies that are known in the wordings of many servers, and all that is no bounce (D-31). */
import { describe, expect, test } from '@jest/globals'
import { judgeBounce, readIncomingReport } from './incoming-report.ts'
import { dialects } from './testing/bounces.ts'
import { corpus } from './testing/replies/index.ts'

const address = 'reader@example.org'

function read(raw: string, nullSender = true) {
  return readIncomingReport(Buffer.from(raw, 'latin1'), { nullSender })
}

/** `failed permanent invalid_recipient reader@example.org` for each recipient. */
function lines(raw: string, nullSender = true): string[] {
  const report = read(raw, nullSender)
  if (report.kind !== 'bounce') return [report.kind]
  return report.recipients.map((recipient) => {
    const { category, permanent } = judgeBounce(recipient, report.reporter)
    const lasts = permanent === null ? 'unknown' : permanent ? 'permanent' : 'transient'
    return [recipient.action, lasts, category ?? '-', ...recipient.addresses].join(' ')
  })
}

test('hundreds of bounces in nine dialects are read as their replies are', () => {
  const names = Object.keys(dialects)
  const results = corpus.map(({ reply, category, outcome, mxHost = 'mx.example.org' }, index) => {
    const name = names[index % names.length]!
    const report = read(dialects[name]!({ address, reply: reply.replaceAll(' ¶ ', '\n'), mxHost }))
    const [first] = report.kind === 'bounce' ? report.recipients : []
    const judged = first && report.kind === 'bounce' ? judgeBounce(first, report.reporter) : undefined
    const lasts = judged?.permanent === (outcome === 'bounced')
    return {
      name,
      reply,
      wanted: category,
      got: judged?.category,
      lasts,
      named: first?.addresses.includes(address),
    }
  })
  const share = (holds: (result: (typeof results)[number]) => boolean | undefined) =>
    results.filter(holds).length / results.length
  const wrong = results.filter(({ lasts, got, wanted }) => !lasts || got !== wanted)
  process.stdout.write(
    `${results.length} bounces: hard or soft ${share(({ lasts }) => lasts)}, category ${share(({ got, wanted }) => got === wanted)}\n${wrong.map((each) => JSON.stringify(each)).join('\n')}\n`,
  )
  expect(results.length).toBeGreaterThan(600)
  expect(share(({ named }) => named)).toBe(1)
  expect(share(({ lasts }) => lasts)).toBeGreaterThanOrEqual(0.97)
  expect(share(({ got, wanted }) => got === wanted)).toBeGreaterThanOrEqual(0.9)
})

const bounce = (subject: string, body: string, headers = '') =>
  Buffer.from(
    `From: MAILER-DAEMON@mx.example.net\r\nSubject: ${subject}\r\n${headers}\r\n${body}\r\n`,
  ).toString('latin1')
const status = (fields: string, text = '') =>
  `Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n\r\n${text}\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n${fields}\r\n--x--\r\n`

describe('bounces', () => {
  test.each([
    [
      'several recipients, each with its own fate',
      status(
        'Final-Recipient: rfc822; A@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\nFinal-Recipient: rfc822; b@example.org\r\nAction: delayed\r\nStatus: 4.2.2\r\nDiagnostic-Code: smtp; 452 4.2.2 over quota\r\n\r\nFinal-Recipient: rfc822; c@example.org\r\nAction: delivered\r\nStatus: 2.0.0\r\n',
      ),
      [
        'failed permanent invalid_recipient a@example.org',
        'delayed transient mailbox_full b@example.org',
        'delivered transient policy c@example.org',
      ],
    ],
    [
      'given up after a temporary failure',
      status(
        'Final-Recipient: rfc822; a@example.org\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 451 4.4.1 connection timed out\r\n',
      ),
      ['failed transient timeout a@example.org'],
    ],
    [
      'addresses that are not ASCII (RFC 6533)',
      status(
        'Final-Recipient: utf-8; r\\x{E4}der@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n',
      ).replace('message/delivery-status', 'message/global-delivery-status'),
      ['failed permanent invalid_recipient r\\x{e4}der@example.org'],
    ],
    [
      'the fields cut off within a recipient',
      status('Final-Recipient: rfc822; a@example.org\r\nAction: failed\r\nStatus: 5.2.1').slice(0, -7),
      ['failed permanent mailbox_disabled a@example.org'],
    ],
    [
      'in German',
      bounce('Unzustellbar: News', 'Der Empfänger a@example.org existiert nicht.'),
      ['failed permanent invalid_recipient a@example.org'],
    ],
    [
      'in French',
      bounce('Non remis : News', "L'adresse a@example.org n'existe pas."),
      ['failed permanent invalid_recipient a@example.org'],
    ],
    [
      'in Spanish',
      bounce('No se puede entregar: News', 'El buzón lleno de a@example.org'),
      ['failed transient mailbox_full a@example.org'],
    ],
    [
      'in Russian',
      bounce(
        'Не доставлено',
        'Пользователь a@example.org не найден',
        'Content-Type: text/plain; charset=utf-8\r\n',
      ),
      ['failed permanent invalid_recipient a@example.org'],
    ],
    [
      'in Japanese, ISO-2022-JP',
      `From: postmaster@example.jp\r\nSubject: error\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\na@example.org \x1b$B8+$D$+$j$^$;$s\x1b(B\r\n`,
      ['failed permanent invalid_recipient a@example.org'],
    ],
    [
      'in Chinese, GBK',
      `From: postmaster@example.cn\r\nSubject: 退信\r\nContent-Type: text/plain; charset=gbk\r\n\r\na@example.org \xb2\xbb\xb4\xe6\xd4\xda\r\n`,
      ['failed permanent invalid_recipient a@example.org'],
    ],
    [
      'only HTML',
      bounce(
        'Undeliverable: News',
        '<p>a@example.org</p><p>Remote server returned &#39;550 5.1.1 RESOLVER.ADR.RecipNotFound; not found&#39;</p>',
        'Content-Type: text/html\r\n',
      ),
      ['failed permanent invalid_recipient a@example.org'],
    ],
    [
      'a warning',
      bounce(
        'Warning: message delayed 24 hours',
        'Your message to a@example.org has not yet been delivered. It will be retried.',
      ),
      ['delayed unknown - a@example.org'],
    ],
    ['no reason at all', bounce('failure notice', 'Sorry.'), ['failed unknown -']],
    [
      'a mailbox that rejects by an MDN (Dovecot)',
      bounce(
        'Automatically rejected mail',
        'Your message to <a@example.org> was automatically rejected:\r\nQuota exceeded',
        'Auto-Submitted: auto-replied (rejected)\r\n',
      ),
      ['failed transient mailbox_full a@example.org'],
    ],
  ])('%s', (_name, raw, expected) => {
    expect(lines(raw)).toEqual(expected)
  })

  test('the mail that came back says nothing, whatever is written in it', () => {
    const raw = bounce(
      'failure notice',
      '<a@example.org>:\r\nSorry.\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n550 5.1.1 no such user',
    )
    expect(lines(raw)).toEqual(['failed unknown - a@example.org'])
  })
})

describe('no bounces', () => {
  test.each([
    [
      'a vacation notice',
      'Subject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n',
      'auto_reply',
    ],
    ['a vacation notice in German', 'Subject: Abwesenheitsnotiz\r\n\r\nIch bin nicht da.\r\n', 'auto_reply'],
    ['an old vacation program', 'Precedence: auto_reply\r\nSubject: Hi\r\n\r\nthanks\r\n', 'auto_reply'],
    [
      'a read receipt',
      'Content-Type: multipart/report; report-type=disposition-notification; boundary=x\r\n\r\n--x\r\n\r\nread\r\n--x\r\nContent-Type: message/disposition-notification\r\n\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n--x--\r\n',
      'auto_reply',
    ],
    [
      'a letter',
      'From: ann@example.org\r\nSubject: Re: News\r\n\r\nThanks! My flight is number 550.\r\n',
      'other',
    ],
    [
      'a letter about a bounce',
      'From: ann@example.org\r\nSubject: Re: News\r\n\r\nI got "550 5.1.1 user unknown" when I wrote to bob@example.org.\r\n',
      'other',
    ],
    ['spam', 'From: x@example.org\r\nSubject: Error in your account\r\n\r\nClick here.\r\n', 'other'],
    [
      'a DMARC report',
      'From: dmarc@example.org\r\nSubject: Report Domain: example.com\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n',
      'other',
    ],
    ['nothing', '', 'other'],
    ['a body alone', '\r\nhello\r\n', 'other'],
    ['a multipart without parts', 'Content-Type: multipart/mixed; boundary=x\r\n\r\n', 'other'],
    ['the field __proto__', '__proto__: x\r\nconstructor: y\r\nSubject: z\r\n\r\nhi\r\n', 'other'],
  ])('%s', (_name, raw, kind) => {
    expect(read(raw, false).kind).toBe(kind)
  })
})

describe('complaints', () => {
  const token = `b${'abcdefghijkl234567mnopqr'.repeat(2).slice(0, 42)}`
  const arf = (fields: string, original: string) =>
    `Content-Type: multipart/report; report-type=feedback-report; boundary=x\r\n\r\n--x\r\n\r\nAn abuse report.\r\n--x\r\nContent-Type: message/feedback-report\r\n\r\n${fields}\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n${original}\r\n--x--\r\n`

  test.each([
    [
      'the return path in a field',
      arf(
        `Feedback-Type: abuse\r\nUser-Agent: Yahoo!-Mail-Feedback/2.0\r\nOriginal-Mail-From: <${token}@send.example.com>\r\nOriginal-Rcpt-To: <A@example.org>\r\n`,
        'Subject: x\r\n\r\n',
      ),
    ],
    [
      'the return path in the mail',
      arf(
        'Feedback-Type: abuse\r\nUser-Agent: Yahoo!-Mail-Feedback/2.0\r\nOriginal-Rcpt-To: a@example.org\r\n',
        `Return-Path: <${token.toUpperCase()}@send.example.com>\r\n\r\n`,
      ),
    ],
    [
      'in what another server wrote',
      arf(
        'Feedback-Type: abuse\r\nUser-Agent: Yahoo!-Mail-Feedback/2.0\r\nOriginal-Rcpt-To: a@example.org\r\n',
        `Authentication-Results: mx; spf=pass smtp.mailfrom=${token}@send.example.com\r\n\r\n`,
      ),
    ],
  ])('%s', (_name, raw) => {
    expect(read(raw, false)).toEqual({
      kind: 'complaint',
      feedbackType: 'abuse',
      addresses: ['a@example.org'],
      reporter: 'Yahoo!-Mail-Feedback/2.0',
      tokens: [token],
    })
  })

  test("Microsoft's junk mail reports, which are the mail itself", () => {
    const raw = `From: staff@hotmail.com\r\nSubject: complaint about message\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nX-HmXmrOriginalRecipient: a@example.org\r\nReturn-Path: ${token}@send.example.com\r\n\r\n--x--\r\n`
    expect(read(raw, false)).toMatchObject({
      kind: 'complaint',
      addresses: ['a@example.org'],
      tokens: [token],
    })
  })

  test.each(['not-spam', 'auth-failure', 'dmarc'])('%s is none', (type) => {
    expect(
      read(arf(`Feedback-Type: ${type}\r\n`, `Return-Path: <${token}@send.example.com>\r\n\r\n`), false).kind,
    ).toBe('other')
  })
})
