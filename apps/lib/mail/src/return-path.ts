/** The envelope sender that brings a bounce back to the message that it is about. */
import { createHmac, timingSafeEqual } from 'node:crypto'

/**
 * What a returned message is about: the recipient of that number (deliveries.number), or where the number is negative one of those
 * that have its domain, as one transaction was for all of them.
 */
export type Returned = { messageId: string; number: number }

const idBytes = 16
const numberBytes = 2
const proofBytes = 8
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'
const prefix = 'b'

/**
 * A local part of 43 lower-case letters and digits: some systems change capitals, and what is said here must come back as it
 * was. Only whoever has the secret can make one.
 */
export function returnToken({ messageId, number }: Returned, secret: Buffer): string {
  const named = Buffer.alloc(idBytes + numberBytes)
  named.write(messageId.replaceAll('-', ''), 'hex')
  named.writeInt16BE(number, idBytes)
  return prefix + toBase32(Buffer.concat([named, proofOf(named, secret)]))
}

/** Undefined when the local part is none of ours, or was changed. */
export function readReturnToken(localPart: string, secret: Buffer): Returned | undefined {
  const text = localPart.toLowerCase()
  const bytes = text.startsWith(prefix) ? fromBase32(text.slice(prefix.length)) : undefined
  if (bytes?.length !== idBytes + numberBytes + proofBytes) return undefined
  const named = bytes.subarray(0, idBytes + numberBytes)
  if (!timingSafeEqual(bytes.subarray(named.length), proofOf(named, secret))) return undefined
  const hex = named.toString('hex', 0, idBytes)
  return {
    messageId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    number: named.readInt16BE(idBytes),
  }
}

function proofOf(named: Buffer, secret: Buffer): Buffer {
  return createHmac('sha256', secret).update('return-path\0').update(named).digest().subarray(0, proofBytes)
}

function toBase32(bytes: Buffer): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(value >> (bits - 5)) & 31]
  }
  return bits > 0 ? text + alphabet[(value << (5 - bits)) & 31] : text
}

function fromBase32(text: string): Buffer | undefined {
  const bytes: number[] = []
  let bits = 0
  let value = 0
  for (const character of text) {
    const digit = alphabet.indexOf(character)
    if (digit < 0) return undefined
    value = ((value << 5) | digit) & 0xfff
    bits += 5
    if (bits >= 8) {
      bytes.push((value >> (bits - 8)) & 0xff)
      bits -= 8
    }
  }
  return Buffer.from(bytes)
}
