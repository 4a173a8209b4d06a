/** DKIM keys, decrypted and kept for a while, and the signature fields for a message, dated by the database's clock. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { OutboundQueries } from '@postel/db/queries/outbound'
import { type DkimKey, signDkim } from '@postel/mail/dkim'
import type { SecretBox } from '@postel/runtime/secret-box'

/** `behindMs` turns performance.now() into the database's time. */
type Keys = { keys: DkimKey[]; behindMs: number }

const keysTtlMs = 30_000
const domainsMax = 10_000

/** A key that cannot be used: another POSTEL_SECRET, or a row moved to another domain. */
export class SigningKeyError extends Error {
  override name = 'SigningKeyError'
}

/** The keys could not be asked for: that is no fault of the message. */
export class KeysUnavailable extends Error {
  override name = 'KeysUnavailable'
}

export class Signer {
  readonly #queries: OutboundQueries
  readonly #box: SecretBox
  readonly #keys = new Map<string, { at: number; keys: Promise<Keys> }>()

  constructor(queries: OutboundQueries, box: SecretBox) {
    this.#queries = queries
    this.#box = box
  }

  /**
   * The signature fields to put before the message; empty when its domain has no keys. Rejects when keys exist and cannot
   * be used (another POSTEL_SECRET, a row moved to another domain): such mail must wait, not leave unsigned.
   */
  async sign(message: Buffer, domain: string | null): Promise<Buffer> {
    if (!domain) return Buffer.alloc(0)
    const { keys, behindMs } = await this.#keysOf(domain)
    if (keys.length === 0) return Buffer.alloc(0)
    const now = new Date(performance.now() + behindMs)
    return Buffer.from(await signDkim(message, keys, now), 'latin1')
  }

  #keysOf(domain: string): Promise<Keys> {
    const known = this.#keys.get(domain)
    if (known && performance.now() - known.at < keysTtlMs) return known.keys
    if (this.#keys.size >= domainsMax) this.#keys.clear()
    const keys = this.#load(domain)
    this.#keys.set(domain, { at: performance.now(), keys })
    keys.catch(() => this.#keys.delete(domain))
    return keys
  }

  async #load(domain: string): Promise<Keys> {
    const rows = await this.#queries.dkimKeys(domain).catch((cause) => {
      throw new KeysUnavailable(`the DKIM keys of ${domain} could not be read`, { cause })
    })
    // No later than it is there, as the answer took its time: no signature comes from the future
    const behindMs = (rows[0]?.readAt.getTime() ?? 0) - performance.now()
    const keys = rows.map((row) => ({
      domain: row.domain,
      selector: row.selector,
      algorithm: row.algorithm as DkimKey['algorithm'],
      privateKey: this.#open(row.privateKey, row.domain),
    }))
    return { keys, behindMs }
  }

  #open(sealed: Buffer, domain: string): KeyObject {
    try {
      return createPrivateKey(this.#box.open(sealed, domain))
    } catch (cause) {
      throw new SigningKeyError(`the DKIM key of ${domain} cannot be used`, { cause })
    }
  }
}
