/** Mail for the people who run the server, sent on to them as an attachment: nothing in it can pass for mail of ours. */
import { randomBytes } from 'node:crypto'
import { decodeEncodedWords } from './encoded-word.ts'
import { decodeLeaf, readMessage } from './mime-leaves.ts'
import { encodeBase64 } from './transfer-encoding.ts'

/** Marks what was sent on once: coming back, it is not sent on again. */
export const forwardedField = 'X-Postel-Forwarded'

const shownCharacters = 4_000
const subjectCharacters = 150

export type ForwardedMail = {
  /** `Name <local@domain>`. */
  from: string
  to: string
  /** The role it was sent to: `postmaster@send.example.com`. */
  recipient: string
  envelopeFrom: string
  client: string
  raw: Buffer
}

/** A whole message; `undefined` where it has been sent on before. */
export function composeForwarded({
  from,
  to,
  recipient,
  envelopeFrom,
  client,
  raw,
}: ForwardedMail): Buffer | undefined {
  const message = readMessage(raw)
  if (message.fields.has(forwardedField.toLowerCase())) return undefined
  const boundary = `=_${randomBytes(16).toString('hex')}`
  const text = message.leaves.find(({ type }) => type === 'text/plain')
  const subject = printable(decodeEncodedWords(message.fields.get('subject') ?? '')).slice(
    0,
    subjectCharacters,
  )
  const shown = [
    `Mail for ${recipient}, from <${envelopeFrom}> by ${client}; all of it is attached.`,
    '',
    `From: ${printable(message.fields.get('from') ?? '')}`,
    `Subject: ${subject}`,
    '',
    text ? decodeLeaf(text).slice(0, shownCharacters) : '',
  ].join('\n')
  return Buffer.from(
    [
      `From: ${from}`,
      `To: <${to}>`,
      `Subject: [${recipient.replace(/[^ -~]/g, '?')}] ${/^[ -~]*$/.test(subject) ? subject : 'a message'}`,
      'Auto-Submitted: auto-generated',
      `${forwardedField}: yes`,
      'MIME-Version: 1.0',
      `Content-Type: multipart/mixed; boundary="${boundary}"`,
      '',
      `--${boundary}`,
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: base64',
      '',
      encodeBase64(Buffer.from(shown.toWellFormed())).toString('latin1'),
      `--${boundary}`,
      'Content-Type: application/octet-stream; name="message.eml"',
      'Content-Disposition: attachment; filename="message.eml"',
      'Content-Transfer-Encoding: base64',
      '',
      encodeBase64(raw).toString('latin1'),
      `--${boundary}--`,
      '',
    ].join('\r\n'),
    'latin1',
  )
}

function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, 500)
}
