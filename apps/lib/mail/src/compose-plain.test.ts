/** What is written without nodemailer says what nodemailer's would, and what is not plain is left to it. */
import { expect, test } from '@jest/globals'
import { simpleParser } from 'mailparser'
import MailComposer from 'nodemailer/lib/mail-composer'
import { type NamedMailbox, parseAddressList } from './address.ts'
import { composePlain, type PlainParts } from './compose-plain.ts'
import { renderMime } from './render-mime.ts'

const now = new Date('2026-11-22T04:00:00Z')
const mailboxes = (text: string) => (parseAddressList(text) as { mailboxes: NamedMailbox[] }).mailboxes
const from = mailboxes('Ann <ann@x.test>')[0]!
const plain = (parts: Partial<PlainParts>) =>
  composePlain({ from, to: mailboxes('bob@y.test'), cc: [], replyTo: [], subject: 's', ...parts }, now)

const german = 'Gr\u00fc\u00dfe aus K\u00f6ln! '

test.each<[string, Partial<PlainParts>]>([
  ['a short text', { text: 'Hello\n' }],
  ['a text without a line end', { text: 'Hello' }],
  ['HTML alone', { html: '<p>x</p>' }],
  ['both', { text: 'Hello\n', html: `<p>${german}</p>` }],
  ['both without line ends', { text: 'y', html: 'x' }],
  ['line ends of all kinds', { text: 'a\rb\nc\r\nd\r\r\n\n' }],
  ['spaces at line ends', { text: 'a \nb\t\n  ' }],
  ['long lines', { text: 'several words, '.repeat(400) }],
  ['one long word', { html: 'x'.repeat(5_000) }],
  ['lines of 76, 77 and 78', { text: [76, 77, 78].map((length) => 'x'.repeat(length)).join('\n') }],
  ['quoted-printable', { text: german.repeat(200) }],
  ['base64', { text: '\u3053\u3093\u306b\u3061\u306f\n'.repeat(200) }],
  ['emoji', { html: '\u{1f469}\u200d\u{1f467}'.repeat(100) }],
  ['a lone = and a dot line', { text: '=\n.\n=20\n' }],
  ['control characters', { text: 'a\u0001b\u007f\u001b[31m' }],
  ['a boundary in the text', { text: '--=_x\n--\n', html: '--' }],
  [
    'addresses with and without names',
    { text: 'x', to: mailboxes('bob@y.test, Carl C <c@y.test>'), cc: mailboxes('d@z.test') },
  ],
  ['a reply address', { text: 'x', replyTo: mailboxes('help@x.test') }],
  ['a subject with marks', { text: 'x', subject: 'Re: [a] "b" <c>, 100% = x; (y)' }],
])('%s', async (_, parts) => {
  const raw = plain(parts)!
  const { text, html } = parts
  const composer = new MailComposer({
    ...{ from, to: parts.to ?? mailboxes('bob@y.test'), cc: parts.cc, replyTo: parts.replyTo, date: now },
    subject: parts.subject ?? 's',
    ...(text !== undefined && { text }),
    ...(html !== undefined && { html }),
    newline: 'windows',
  } as never)
  const theirs = renderMime(composer.compile() as never)
  const [ours, other] = await Promise.all(
    [raw, theirs].map((message) => simpleParser(message, { skipTextToHtml: true })),
  )
  const { messageId: id, headers: _h, headerLines, ...said } = ours!
  const { messageId: _id, headers: _o, headerLines: lines, ...expected } = other!
  expect(said).toEqual(expected)
  // The same fields, each once
  const names = (all: typeof lines) => all.map(({ key }) => key).sort()
  expect(names(headerLines)).toEqual(names(lines))
  expect(id).toMatch(/^<[0-9a-f]{32}@x\.test>$/)
  const octets = raw.toString('latin1')
  expect(octets).toMatch(/\r\n$/)
  expect(octets).not.toMatch(/\r(?!\n)|(?<!\r)\n|[^\r\n]{79}|[^\t\r\n -~]/)
})

test.each<[string, Partial<PlainParts>]>([
  ['an empty text', { text: '' }],
  ['an empty text beside HTML', { text: '', html: 'x' }],
  ['a subject that is not ASCII', { subject: german }],
  ['a long subject', { subject: 'x'.repeat(70) }],
  ['no subject', { subject: '' }],
  ['a subject with spaces around', { subject: ' x ' }],
  ['a subject that looks encoded', { subject: '=?utf-8?q?x?=' }],
  ['a name that is not ASCII', { to: mailboxes('J\u00f6rg <j@y.test>') }],
  ['a name to be quoted', { to: mailboxes('"Doe, J." <j@y.test>') }],
  ['a quoted local part', { to: mailboxes('"a b"@y.test') }],
  ['many recipients', { to: mailboxes('bob@y.test, '.repeat(9).slice(0, -2)) }],
])('%s is left to nodemailer', (_, parts) => {
  expect(plain({ text: 'x', ...parts })).toBeUndefined()
})
