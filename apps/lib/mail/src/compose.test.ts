/** Messages from parts: structure, encodings, and every text that could break out of its field. */
import { describe, expect, test } from '@jest/globals'
import { type ComposeInput, composeMessage, envelopeRecipients, isFieldProblem } from './compose.ts'
import { normaliseMessage } from './normalise.ts'

const minimal: ComposeInput = { from: 'Ann <a@own.test>', to: ['b@x.test'], subject: 'Hi', text: 'Hello' }

async function compose(input: Partial<ComposeInput>): Promise<string> {
  const result = await composeMessage({ ...minimal, ...input })
  if (isFieldProblem(result)) throw new Error(`${result.field}: ${result.problem}`)
  return result.raw.toString('latin1')
}

/** The content types of all parts, in order. */
function types(raw: string): string[] {
  return [...raw.matchAll(/^Content-Type: ([\w/-]+)/gm)].map((match) => match[1] as string)
}

describe('structure', () => {
  const file = { filename: 'a.pdf', content: Buffer.from([0, 13, 10, 255]), contentType: 'application/pdf' }
  const image = { filename: 'a.png', content: Buffer.from('png'), contentId: 'logo@own.test' }
  test.each<[string, Partial<ComposeInput>, string[]]>([
    ['text', {}, ['text/plain']],
    ['empty text', { text: '' }, ['text/plain']],
    ['both', { html: '<p>x</p>' }, ['multipart/alternative', 'text/plain', 'text/html']],
    ['attachment', { attachments: [file] }, ['multipart/mixed', 'text/plain', 'application/pdf']],
    [
      'embedded image',
      { html: '<img src="cid:logo@own.test">', attachments: [image] },
      ['multipart/alternative', 'text/plain', 'multipart/related', 'text/html', 'image/png'],
    ],
  ])('%s', async (_name, input, expected) => {
    expect(types(await compose(input))).toEqual(expected)
  })

  test('HTML alone is one part', async () => {
    const result = await composeMessage({
      from: 'a@own.test',
      to: [],
      bcc: ['c@d.test'],
      subject: '',
      html: '<p>',
    })
    expect(isFieldProblem(result) || types(result.raw.toString())).toEqual(['text/html'])
  })

  test('names, subject and text are encoded; Bcc, tags and bare line ends are not there', async () => {
    const raw = await compose({
      from: '"Zoë, \\"Z\\"" <z@own.test>',
      to: ['"Lee, Ann" <a@b.test>', 'x@BÜCHER.test'],
      cc: ['"a b"@c.test'],
      bcc: ['hidden@x.test'],
      replyTo: ['r@own.test'],
      subject: 'Grüße 😀',
      text: 'a\nb\rc\r\n.\r\nü',
      headers: {
        'X-Entity-Ref-ID': '1',
        'List-Unsubscribe': '<https://own.test/u>',
        'Message-ID': '<1@own.test>',
      },
      tags: [{ name: 'secret', value: 'secret' }],
    })
    expect(raw).not.toMatch(/hidden|secret|^Bcc/im)
    expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
    const read = normaliseMessage(Buffer.from(raw, 'latin1'), {
      hostname: 'h.test',
      now: new Date(),
      protocol: 'HTTP',
    })
    expect(read).toMatchObject({
      headerFrom: { address: 'z@own.test' },
      fromHeader: 'Zoë, "Z" <z@own.test>',
      to: '"Lee, Ann" <a@b.test>, x@xn--bcher-kva.test',
      cc: '<"a b"@c.test>',
      replyTo: 'r@own.test',
      subject: 'Grüße 😀',
      messageId: '<1@own.test>',
      eightBit: false,
      utf8Headers: false,
    })
    expect(raw).toMatch(/^X-Entity-Ref-ID: 1\r$/m)
    expect(raw).toMatch(/^List-Unsubscribe: <https:\/\/own\.test\/u>\r$/m)
  })

  test('an attachment arrives octet for octet, its name intact', async () => {
    const raw = await compose({ attachments: [{ ...file, filename: 'Büro "x"; y.exe' }] })
    expect(raw).toContain(file.content.toString('base64'))
    expect(raw).not.toMatch(/^X:/m)
  })

  test('a long line without spaces is folded by the encoding', async () => {
    const raw = await compose({
      text: 'x'.repeat(5_000),
      html: `<p>${'y'.repeat(5_000)}</p>`,
      subject: `${'z '.repeat(400)}${'é'.repeat(100)}`,
      headers: { 'X-A': 'a '.repeat(2_000), 'X-B': 'é'.repeat(2_000), 'X-C': 'c'.repeat(900) },
    })
    expect(raw.split('\r\n').every((line) => line.length <= 998)).toBe(true)
  })
})

describe('refused with the name of the field', () => {
  const attachment = { filename: 'a', content: Buffer.from('a') }
  const breakers = [
    '\r\nBcc: evil@z.test',
    '\n',
    '\r',
    '\0',
    '\x1b',
    '\x7f',
    '\u0085',
    '\u2028',
    '\u2029',
    '\ud800',
  ]
  test.each(breakers.map((text) => [JSON.stringify(text), text]))('%s anywhere', async (_name, text) => {
    const inputs: [string, Partial<ComposeInput>][] = [
      ['from', { from: `a${text} <a@own.test>` }],
      ['to[1]', { to: ['c@d.test', `b@y.test${text}`] }],
      ['cc[0]', { cc: [`b@y.test${text}`] }],
      ['bcc[0]', { bcc: [`b@y.test${text}`] }],
      ['reply_to[0]', { replyTo: [`b@y.test${text}`] }],
      ['subject', { subject: `a${text}` }],
      ['headers', { headers: { [`X-A${text}`]: 'a' } }],
      ['headers.X-A', { headers: { 'X-A': `a${text}` } }],
      ['headers.Message-ID', { headers: { 'Message-ID': `<a@b.test>${text}` } }],
      ['attachments[0].filename', { attachments: [{ ...attachment, filename: `a${text}` }] }],
      ['attachments[0].content_type', { attachments: [{ ...attachment, contentType: `text/plain${text}` }] }],
      ['attachments[0].content_id', { attachments: [{ ...attachment, contentId: `a${text}` }] }],
      ['tags[0].name', { tags: [{ name: `a${text}`, value: 'a' }] }],
      ['tags[0].value', { tags: [{ name: 'a', value: `a${text}` }] }],
    ]
    for (const [field, input] of inputs) {
      const result = await composeMessage({ ...minimal, ...input })
      expect(result).toEqual({ field, problem: expect.stringMatching(/^[A-Z][ -~]+$/) })
    }
  })

  test.each(
    'Bcc,bCC,Resent-Bcc,From,Sender,To,Cc,Subject,Reply-To,Date,Return-Path,DKIM-Signature,Received,Content-Type,content-transfer-encoding,Content-X,MIME-Version,ARC-Seal,arc-message-signature,Authentication-Results'.split(
      ',',
    ),
  )('header %s', async (name) => {
    expect(await composeMessage({ ...minimal, headers: { [name]: 'x' } })).toMatchObject({
      field: `headers.${name}`,
    })
  })

  test.each([
    ['space', 'Bcc '],
    ['leading space', ' Bcc'],
    ['colon', 'X:Bcc'],
    ['Kelvin sign', 'X-\u212a'],
    ['underscore', '__proto__x'],
    ['empty', ''],
    ['77 characters', 'X'.repeat(77)],
  ])('header name with %s', async (_name, name) => {
    expect(await composeMessage({ ...minimal, headers: { [name]: 'x' } })).toMatchObject({ field: 'headers' })
  })

  test.each<[string, Partial<ComposeInput>, string]>([
    ['two addresses in one entry', { to: ['a@x.test, b@y.test'] }, 'to[0]'],
    ['group', { to: ['G: a@x.test;'] }, 'to[0]'],
    ['10,000 nested groups', { to: ['a:'.repeat(10_000)] }, 'to[0]'],
    ['comment', { to: ['user@good.com(x)evil.com'] }, 'to[0]'],
    ['empty entry', { to: [''] }, 'to[0]'],
    ['two From mailboxes', { from: 'a@own.test, v@bank.test' }, 'from'],
    ['the same header twice', { headers: { 'X-A': '1', 'x-a': '2' } }, 'headers.x-a'],
    ['bad Message-ID', { headers: { 'message-id': 'x' } }, 'headers.message-id'],
    [
      '101 headers',
      { headers: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`X-${i}`, ''])) },
      'headers',
    ],
    ['subject of 999', { subject: 'x'.repeat(999) }, 'subject'],
    ['subject without spaces', { subject: 'x'.repeat(901) }, 'subject'],
    ['header without spaces', { headers: { 'X-A': 'x'.repeat(901) } }, 'headers.X-A'],
    ['path up', { attachments: [{ ...attachment, filename: '../../x' }] }, 'attachments[0].filename'],
    ['backslash', { attachments: [{ ...attachment, filename: 'C:\\x' }] }, 'attachments[0].filename'],
    ['dots alone', { attachments: [{ ...attachment, filename: '..' }] }, 'attachments[0].filename'],
    ['no name', { attachments: [{ ...attachment, filename: '' }] }, 'attachments[0].filename'],
    [
      'name of 256',
      { attachments: [{ ...attachment, filename: 'x'.repeat(256) }] },
      'attachments[0].filename',
    ],
    [
      'reversed name',
      { attachments: [{ ...attachment, filename: 'a\u202efdp.exe' }] },
      'attachments[0].filename',
    ],
    ['content type', { attachments: [{ ...attachment, contentType: 'pdf' }] }, 'attachments[0].content_type'],
    [
      'multipart',
      { attachments: [{ ...attachment, contentType: 'multipart/mixed' }] },
      'attachments[0].content_type',
    ],
    ['content id', { attachments: [{ ...attachment, contentId: 'a> <b' }] }, 'attachments[0].content_id'],
  ])('%s', async (_name, input, field) => {
    expect(await composeMessage({ ...minimal, ...input })).toMatchObject({ field })
  })
})

test('no file and no URL is read', async () => {
  const attachments = [
    { filename: 'a.txt', content: Buffer.from('x'), path: '/etc/hostname', href: 'http://x.test' },
  ]
  const raw = await compose({ attachments, text: 'a', html: '<img src="file:///etc/hostname">' })
  expect(raw).toContain(Buffer.from('x').toString('base64'))
})

describe('envelopeRecipients', () => {
  test('keeps the order and each mailbox once', () => {
    expect(
      envelopeRecipients(
        ['Ann <a@x.test>', 'B@x.test'],
        ['b@X.test', 'a@X.TEST'],
        ['"a"@x.test', 'c@y.test'],
      ),
    ).toEqual(
      ['a@x.test', 'B@x.test', 'b@x.test', 'c@y.test'].map((address) => {
        const [localPart, domain] = address.split('@')
        return { address, localPart, domain }
      }),
    )
  })

  test('names the field of a bad entry', () => {
    expect(envelopeRecipients(['a@x.test'], [], ['b@y.test, c@z.test'])).toMatchObject({ field: 'bcc[0]' })
  })
})
