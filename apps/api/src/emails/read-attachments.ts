/** The attachments of a stored message. */
import { createHash } from 'node:crypto'
import { simpleParser } from 'mailparser'

export type StoredAttachment = {
  /** The same each time. */
  id: string
  filename: string | undefined
  contentType: string
  disposition: 'inline' | 'attachment'
  contentId: string | undefined
  content: Buffer
}

/** In the order of the message; rejects for a message that cannot be parsed. */
export async function readAttachments(emailId: string, raw: Buffer): Promise<StoredAttachment[]> {
  const { attachments } = await simpleParser(raw, {
    skipHtmlToText: true,
    skipTextToHtml: true,
    skipImageLinks: true,
    skipTextLinks: true,
  })
  return attachments.map(({ filename, contentType, contentDisposition, cid, content, related }, index) => ({
    id: partId(emailId, index),
    filename,
    contentType,
    disposition: contentDisposition === 'inline' || related ? 'inline' : 'attachment',
    contentId: cid,
    content,
  }))
}

/** A UUID (RFC 9562 version 8) made of a message's id and the number of its part. */
function partId(emailId: string, index: number): string {
  const bytes = createHash('sha256').update(`${emailId}/${index}`).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
