/** What remotes send back about mail that they took: bounces in several dialects, and complaints. */
import type { Postel } from './postel.ts'
import { RawSmtp, type Reply } from './raw-smtp.ts'

/** An RFC 3464 bounce of one recipient; its second half is the mail that it is about. */
export function dsn(fields: {
  recipient: string
  action?: string
  status?: string
  diagnostic?: string
  original?: string
  text?: string
}): string {
  const {
    recipient,
    action = 'failed',
    status = '5.1.1',
    original = 'Subject: test\r\n\r\nHello\r\n',
  } = fields
  const diagnostic =
    fields.diagnostic ?? `550 ${status} <${recipient}>: Recipient address rejected: User unknown`
  return [
    'From: MAILER-DAEMON@mx.remote.test (Mail Delivery System)',
    'To: sender@example.test',
    'Subject: Undelivered Mail Returned to Sender',
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="B/mx"',
    '',
    'This is a MIME-encapsulated message.',
    '',
    '--B/mx',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    fields.text ?? `<${recipient}>: host mx.remote.test said: ${diagnostic}`,
    '',
    '--B/mx',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.remote.test',
    'Arrival-Date: Sun, 22 Nov 2026 06:00:00 +0000 (UTC)',
    '',
    `Final-Recipient: rfc822; ${recipient}`,
    `Original-Recipient: rfc822;${recipient}`,
    `Action: ${action}`,
    `Status: ${status}`,
    'Remote-MTA: dns; inner.remote.test',
    `Diagnostic-Code: smtp; ${diagnostic}`,
    '',
    '--B/mx',
    'Content-Type: message/rfc822',
    '',
    original,
    '--B/mx--',
    '',
  ].join('\r\n')
}

/** An RFC 5965 report on mail whose headers are in it. */
export function feedback(original: string, fields: { type?: string; more?: readonly string[] } = {}): string {
  return [
    'From: <feedback@provider.test>',
    'To: <fbl@example.test>',
    'Subject: FW: Your newsletter',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=feedback-report; boundary="arf"',
    '',
    '--arf',
    'Content-Type: text/plain',
    '',
    'This is an email abuse report.',
    '--arf',
    'Content-Type: message/feedback-report',
    '',
    `Feedback-Type: ${fields.type ?? 'abuse'}`,
    'User-Agent: SomeGenerator/1.0',
    'Version: 1',
    ...(fields.more ?? []),
    '',
    '--arf',
    'Content-Type: message/rfc822',
    '',
    original,
    '--arf--',
    '',
  ].join('\r\n')
}

/** Speaks to the MX port as a remote; gives the last reply, which has an enhanced code and is no longer than it may be. */
export async function sendBack(
  postel: Postel,
  { from = '', to, data }: { from?: string; to: string | readonly string[]; data: string },
): Promise<string> {
  const client = await RawSmtp.connect(postel.ports.mx)
  try {
    await client.expect(220)
    await client.ehlo('mx.remote.test')
    await client.say(`MAIL FROM:<${from}>`, 250)
    for (const recipient of [to].flat()) {
      client.write(`RCPT TO:<${recipient}>\r\n`)
      const reply = await client.reply()
      if (reply.code !== 250) return checked(reply)
    }
    await client.say('DATA', 354)
    client.write(`${data.replace(/^\./gm, '..')}.\r\n`)
    return checked(await client.reply())
  } finally {
    client.destroy()
  }
}

function checked({ lines }: Reply): string {
  for (const line of lines)
    if (!/^([245])\d\d[ -]\1\.\d{1,3}\.\d{1,3} [ -~]+$/.test(line) || line.length > 510)
      throw new Error(`malformed: ${line}`)
  return lines.join('\n')
}
