/** Bounces as mail servers word them, each around a reply: fields for programs, sentences alone, transcripts, other languages. */
import { encodeBase64, encodeText } from '../transfer-encoding.ts'

export type Returned = { address: string; reply: string; mxHost: string }

type Dialect = (returned: Returned) => string

const original =
  'Return-Path: <sender@example.com>\r\nFrom: sender@example.com\r\nSubject: News\r\n\r\n550 5.1.1 is no reply here\r\n'

function report(
  subject: string,
  text: string,
  fields: readonly string[],
  textHeader = 'text/plain; charset=utf-8',
): string {
  return [
    'From: Mail Delivery System <MAILER-DAEMON@mx.example.net>',
    `Subject: ${subject}`,
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="=_next.part/1"',
    '',
    '--=_next.part/1',
    `Content-Type: ${textHeader}`,
    '',
    text,
    '--=_next.part/1',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example.net',
    '',
    ...fields,
    '',
    '--=_next.part/1',
    'Content-Type: message/rfc822',
    '',
    original,
    '--=_next.part/1--',
    '',
  ].join('\r\n')
}

function letter(headers: readonly string[], lines: readonly string[]): string {
  return [...headers, '', ...lines, ''].join('\r\n')
}

const folded = (reply: string) => reply.split('\n').join('\r\n    ')
const classOf = (reply: string) =>
  /^\d{3}[ -][#(]?([45]\.\d{1,3}\.\d{1,3})\b/.exec(reply)?.[1] ?? `${reply[0]}.0.0`

export const dialects: Readonly<Record<string, Dialect>> = {
  'Postfix, 2020': ({ address, reply, mxHost }) =>
    report(
      'Undelivered Mail Returned to Sender',
      `This is the mail system at host mx.example.net.\r\n\r\n<${address}>: host ${mxHost}[192.0.2.1] said:\r\n    ${folded(reply)} (in reply to RCPT TO command)`,
      [
        `Final-Recipient: rfc822; ${address}`,
        'Action: failed',
        `Status: ${classOf(reply)}`,
        `Remote-MTA: dns; ${mxHost}`,
        `Diagnostic-Code: smtp; ${folded(reply)}`,
      ],
    ),
  'Sendmail, 1999': ({ address, reply, mxHost }) =>
    report(
      'Returned mail: see transcript for details',
      `   ----- The following addresses had permanent fatal errors -----\r\n<${address}>\r\n\r\n   ----- Transcript of session follows -----\r\n... while talking to ${mxHost}.:\r\n>>> RCPT To:<${address}>\r\n<<< ${folded(reply)}`,
      [
        `Final-Recipient: RFC822; ${address}`,
        'Action: Failed',
        `Status: ${classOf(reply)}`,
        `Remote-MTA: DNS; ${mxHost}`,
        `Diagnostic-Code: SMTP; ${folded(reply)}`,
      ],
    ),
  'Exchange, in German': ({ address, reply, mxHost }) =>
    report(
      '=?utf-8?B?VW56dXN0ZWxsYmFyOiBOZXdz?=',
      encodeBase64(
        Buffer.from(`<html><body><p>Fehler bei der Nachrichtenzustellung an ${address}</p></body></html>`),
      ).toString(),
      [
        `Original-Recipient: rfc822;${address}`,
        `Final-Recipient: rfc822;${address}`,
        'Action: failed',
        `Status: ${classOf(reply)}`,
        `Remote-MTA: dns;${mxHost}`,
        `Diagnostic-Code: smtp;${folded(reply)}`,
      ],
      'text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64',
    ),
  'a gateway that keeps the reply for people': ({ address, reply }) =>
    report(
      'Delivery Status Notification (Failure)',
      `Delivery to ${address} failed.\r\nThe server said: ${folded(reply)}`,
      [`Final-Recipient: rfc822;${address}`, 'Action: failed', `Status: ${reply[0]}.0.0`],
    ),
  'Exim, text alone': ({ address, reply, mxHost }) =>
    letter(
      [
        `X-Failed-Recipients: ${address}`,
        'Auto-Submitted: auto-replied',
        'From: Mail Delivery System <Mailer-Daemon@mx.example.net>',
        'Subject: Mail delivery failed: returning message to sender',
      ],
      [
        'This message was created automatically by mail delivery software.',
        '',
        'A message that you sent could not be delivered to one or more of its',
        'recipients. This is a permanent error. The following address(es) failed:',
        '',
        `  ${address}`,
        `    host ${mxHost} [192.0.2.1]`,
        `    SMTP error from remote mail server after RCPT TO:<${address}>:`,
        `    ${folded(reply)}`,
        '',
        '------ This is a copy of the message, including all the headers. ------',
        '',
        original,
      ],
    ),
  'qmail, text alone': ({ address, reply }) =>
    letter(
      ['From: MAILER-DAEMON@mx.example.net', 'Subject: failure notice'],
      [
        'Hi. This is the qmail-send program at mx.example.net.',
        "I'm afraid I wasn't able to deliver your message to the following addresses.",
        "This is a permanent error; I've given up. Sorry it didn't work out.",
        '',
        `<${address}>:`,
        '192.0.2.1 does not like recipient.',
        `Remote host said: ${reply.split('\n').join('\r\n')}`,
        'Giving up on 192.0.2.1.',
        '',
        '--- Below this line is a copy of the message.',
        '',
        original,
      ],
    ),
  'Exchange 5.5, text alone': ({ address, reply }) =>
    letter(
      ['From: System Administrator <postmaster@example.net>', 'Subject: Undeliverable: News'],
      [
        'Your message',
        '',
        `  To:      ${address}`,
        '',
        'did not reach the following recipient(s):',
        '',
        `${address} on Mon, 5 Mar 2001 10:00:00 -0500`,
        '    The recipient name is not recognized',
        `    <mx.example.net #${classOf(reply)} smtp;${folded(reply)}>`,
      ],
    ),
  'a transcript': ({ address, reply }) =>
    letter(
      ['From: MDaemon at mx.example.net <MDaemon@mx.example.net>', 'Subject: Permanent Delivery Failure'],
      [
        `The attached message could not be delivered to ${address}.`,
        '',
        '--- Session Transcript ---',
        ' Sun 2010-03-21 10:00:01: --> MAIL From:<sender@example.com>',
        ' Sun 2010-03-21 10:00:01: --> RCPT To:<x>',
        ...reply.split('\n').map((line) => ` Sun 2010-03-21 10:00:02: <-- ${line}`),
        ' Sun 2010-03-21 10:00:02: --> QUIT',
        '--- End Transcript ---',
      ],
    ),
  'in French, quoted-printable': ({ address, reply }) =>
    letter(
      [
        'From: postmaster@example.net',
        'Subject: =?iso-8859-1?Q?=C9chec_de_la_remise?=',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: quoted-printable',
      ],
      [
        encodeText(
          Buffer.from(
            `Échec de la remise à votre destinataire :\r\n\r\n${address}\r\n\r\nLe serveur distant a répondu :\r\n'${reply.split('\n').join('\r\n')}'\r\n`,
          ),
        ).encoded.toString('latin1'),
      ],
    ),
}
