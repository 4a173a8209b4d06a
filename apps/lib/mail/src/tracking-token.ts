/**
 * Tokens in the links of mail: what a link stands for, signed, so that nothing has to be stored for it and nobody can make
 * one. Not encrypted: whoever has the mail may know what it says.
 */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'

/** Each with a key of its own, so that a token is good for one thing only. */
export const tokenKinds = ['unsubscribe', 'click', 'open'] as const
export type TokenKind = (typeof tokenKinds)[number]

export type LinkToken = {
  projectId: string
  /** Names the message: its details have it as `link_ref`. */
  ref: string
  /** When the message was submitted, to the second. */
  at: Date
  /** deliveries.number; null where the message has several recipients. */
  number: number | null
  /** unsubscribe: the address; click: where the link goes; open: empty. */
  text: string
}

export const refBytes = 12
const version = 1
const macBytes = 16
const headBytes = 1 + 16 + refBytes + 4 + 2
const tokenCharactersMax = 6_000

export class LinkTokens {
  /** For each secret, the key of each kind. */
  readonly #keys: readonly Record<TokenKind, Buffer>[]

  /** Of one POSTEL_SECRET or more, in base64: the first signs, all are believed. */
  constructor(secretsBase64: readonly string[]) {
    this.#keys = secretsBase64.map((secret) => {
      const key = (kind: TokenKind) =>
        Buffer.from(hkdfSync('sha256', Buffer.from(secret, 'base64'), '', `postel link ${kind}`, 32))
      return { unsubscribe: key('unsubscribe'), click: key('click'), open: key('open') }
    })
  }

  /** In base64url. */
  sign(kind: TokenKind, token: LinkToken): string {
    const head = Buffer.alloc(headBytes)
    head[0] = version
    head.write(token.projectId.replaceAll('-', ''), 1, 'hex')
    head.write(token.ref, 17, 'base64url')
    head.writeUInt32BE(Math.floor(token.at.getTime() / 1000), 17 + refBytes)
    head.writeUInt16BE(token.number ?? 0, 21 + refBytes)
    const payload = Buffer.concat([head, Buffer.from(token.text)])
    return Buffer.concat([payload, mac(this.#keys[0]![kind], payload)]).toString('base64url')
  }

  /** What the token says; undefined unless it is one of ours, of this kind, and unchanged. */
  read(kind: TokenKind, text: string): LinkToken | undefined {
    if (text.length > tokenCharactersMax) return undefined
    const bytes = Buffer.from(text, 'base64url')
    // One spelling only: base64 decoders skip what they do not know
    if (bytes.length < headBytes + macBytes || bytes.toString('base64url') !== text) return undefined
    const payload = bytes.subarray(0, -macBytes)
    const given = bytes.subarray(-macBytes)
    if (!this.#keys.some((keys) => timingSafeEqual(mac(keys[kind], payload), given))) return undefined
    if (payload[0] !== version) return undefined
    const project = payload.toString('hex', 1, 17)
    const number = payload.readUInt16BE(21 + refBytes)
    return {
      projectId: project.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
      ref: payload.toString('base64url', 17, 17 + refBytes),
      at: new Date(payload.readUInt32BE(17 + refBytes) * 1000),
      number: number === 0 ? null : number,
      text: payload.toString('utf8', headBytes),
    }
  }
}

function mac(key: Buffer, payload: Buffer): Buffer {
  return createHmac('sha256', key).update(payload).digest().subarray(0, macBytes)
}
