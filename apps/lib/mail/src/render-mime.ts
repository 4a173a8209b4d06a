/** The octets of a message that nodemailer has put together: what its `build()` gives, without a stream for each step. */
import * as base64 from 'nodemailer/lib/base64'
import * as qp from 'nodemailer/lib/qp'
import { withCrlf } from './line-ends.ts'

/** A part of nodemailer's tree whose content is in memory. */
export type MimePart = {
  content?: unknown
  multipart?: unknown
  boundary?: unknown
  childNodes: readonly MimePart[]
  getTransferEncoding(): string | false
  buildHeaders(): string
}

/**
 * The message with CRLF line ends. nodemailer joins some ten streams for it, which is most of what composing a short
 * message costs: 0.25 ms of 0.4 ms for 4 KiB of text.
 */
export function renderMime(root: MimePart): Buffer {
  const pieces: Buffer[] = []
  write(root, pieces)
  return withCrlf(Buffer.concat(pieces))
}

function write(part: MimePart, pieces: Buffer[]): void {
  const encoding = part.getTransferEncoding()
  pieces.push(Buffer.from(`${part.buildHeaders()}\r\n\r\n`))
  if (part.content) pieces.push(encoded(bytesOf(part.content), encoding))
  if (!part.multipart) return
  for (const [index, child] of part.childNodes.entries()) {
    pieces.push(Buffer.from(`${index > 0 ? '\r\n' : ''}--${part.boundary}\r\n`))
    write(child, pieces)
  }
  pieces.push(Buffer.from(`\r\n--${part.boundary}--\r\n`))
}

function bytesOf(content: unknown): Buffer {
  if (typeof content === 'string') return Buffer.from(content)
  if (Buffer.isBuffer(content)) return content
  throw new TypeError('a part of the message is not in memory')
}

function encoded(content: Buffer, encoding: string | false): Buffer {
  if (encoding === 'base64') return Buffer.from(base64.wrap(base64.encode(content)), 'latin1')
  if (encoding === 'quoted-printable') return Buffer.from(qp.wrap(qp.encode(content)), 'latin1')
  return content
}
