/** Our rendering and nodemailer's own are the same octets, but for where soft line breaks fall. */
import { expect, test } from '@jest/globals'
import MailComposer from 'nodemailer/lib/mail-composer'
import { withCrlf } from './line-ends.ts'
import { renderMime } from './render-mime.ts'

const every = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
const base = { from: 'a@x.test', to: 'b@y.test', subject: 's', newline: 'windows' }
const german = 'Grüße aus Köln! '

test.each([
  ['a short text', { text: 'Hello\n' }],
  ['no text at all', {}],
  ['an empty part', { text: { content: Buffer.alloc(0) } }],
  ['one long line', { text: 'x'.repeat(5_000) }],
  ['a long line of words', { text: 'several words, '.repeat(400) }],
  ['many short lines', { text: 'line\n'.repeat(1_000) }],
  ['bare CR and LF and CRLF', { text: 'a\rb\nc\r\nd\r\r\n\n' }],
  ['spaces at the ends of lines', { text: `${'é'.repeat(10)}${'latin '.repeat(30)} \n\t\n  ` }],
  ['dots at the beginning of lines', { text: '.\n..\n.x\n' }],
  ['quoted-printable', { text: german.repeat(500) }],
  ['quoted-printable that would split a character', { text: `${'x'.repeat(74)}ü`.repeat(50) }],
  ['base64', { text: 'こんにちは'.repeat(500) }],
  ['emoji', { html: `<p>${'👩‍👩‍👧‍👦'.repeat(200)}</p>` }],
  ['a boundary of chunks', { text: `${'a'.repeat(65_535)}é`.repeat(3) }],
  ['text and HTML', { text: german, html: `<p>${german}</p>` }],
  ['an attachment', { text: 'x', attachments: [{ filename: 'ü.bin', content: every }] }],
  ['an empty attachment', { text: 'x', attachments: [{ filename: 'a', content: Buffer.alloc(0) }] }],
  [
    'an attachment of a whole number of lines',
    { attachments: [{ filename: 'a', content: Buffer.alloc(57 * 3) }] },
  ],
  [
    'an inline image beside text, HTML and a file',
    {
      text: 'x',
      html: '<img src="cid:i@x">',
      attachments: [
        { filename: 'i.png', content: every, cid: 'i@x' },
        { filename: 'a.txt', content: Buffer.from(german), contentType: 'text/plain' },
      ],
    },
  ],
  ['headers', { text: 'x', headers: [{ key: 'X-A', value: german.repeat(20) }] }],
])('%s', async (_, content) => {
  const composed = new MailComposer({ ...base, ...content } as never).compile()
  // Message-ID, date and boundaries are made by the first and stay
  const ours = renderMime(composed as never)
  const joined = (message: Buffer) => message.toString('latin1').replaceAll('=\r\n', '')
  expect(joined(ours)).toBe(joined(withCrlf(await composed.build())))
  const encoded = ours
    .toString('latin1')
    .split('\r\n')
    .filter((line) => line.endsWith('='))
  expect(encoded.filter((line) => line.length > 76)).toEqual([])
})
