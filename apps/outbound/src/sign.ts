/**
 * What a message of a domain leaves with: signature fields, dated by the database's clock, and the envelope sender. Keys are
 * decrypted and kept for a while.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { LoadedMessage, OutboundQueries } from '@postel/db/queries/outbound'
import { type DkimKey, signDkim } from '@postel/mail/dkim'
import { returnToken } from '@postel/mail/return-path'
import type { SecretBox } from '@postel/runtime/secret-box'

/** `behindMs` turns performance.now() into the database's time. */
type Sending = { keys: DkimKey[]; returnPathHost: string | null; behindMs: number }

/** Whose mail it is. */
export type Signed = Pick<LoadedMessage, 'projectId' | 'signingDomain'>

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

/** The project may not send from the domain any more: its mail waits until it may again. */
export class DomainNotVerified extends Error {
  override name = 'DomainNotVerified'
}

export class Signer {
  readonly #queries: OutboundQueries
  readonly #box: SecretBox
  readonly #tokenSecret: Buffer
  readonly #domains = new Map<string, { at: number; sending: Promise<Sending> }>()

  /** `tokenSecret` proves that return paths are ours. */
  constructor(queries: OutboundQueries, box: SecretBox, tokenSecret: Buffer) {
    this.#queries = queries
    this.#box = box
    this.#tokenSecret = tokenSecret
  }

  /**
   * The signature fields to put before the message; empty when its domain has no keys. Rejects when keys exist and cannot
   * be used (another POSTEL_SECRET, a row moved to another domain), or when the domain is not verified: such mail must wait,
   * not leave unsigned.
   */
  async sign(message: Buffer, { projectId, signingDomain }: Signed): Promise<Buffer> {
    if (!signingDomain) return Buffer.alloc(0)
    const { keys, behindMs } = await this.#sendingOf(projectId, signingDomain)
    if (keys.length === 0) return Buffer.alloc(0)
    const now = new Date(performance.now() + behindMs)
    return Buffer.from(await signDkim(message, keys, now), 'latin1')
  }

  /**
   * The message with the envelope sender that it leaves with: below its domain, so that SPF passes for that, and such that
   * a bounce finds the message again. As the client gave it where that is empty, or the domain's records are not in DNS.
   */
  async withReturnPath(message: LoadedMessage): Promise<LoadedMessage> {
    const { projectId, signingDomain, envelopeFrom, messageId, numbers } = message
    if (!signingDomain || envelopeFrom === '') return message
    const { returnPathHost } = await this.#sendingOf(projectId, signingDomain)
    if (returnPathHost === null) return message
    const number = numbers.length === 1 ? numbers[0]! : -numbers[0]!
    const token = returnToken({ messageId, number }, this.#tokenSecret)
    return { ...message, envelopeFrom: `${token}@${returnPathHost}` }
  }

  #sendingOf(projectId: string, domain: string): Promise<Sending> {
    const key = `${projectId} ${domain}`
    const known = this.#domains.get(key)
    if (known && performance.now() - known.at < keysTtlMs) return known.sending
    if (this.#domains.size >= domainsMax) this.#domains.clear()
    const entry = { at: performance.now(), sending: this.#load(projectId, domain) }
    this.#domains.set(key, entry)
    entry.sending.catch(() => {
      if (this.#domains.get(key) === entry) this.#domains.delete(key)
    })
    return entry.sending
  }

  async #load(projectId: string, domain: string): Promise<Sending> {
    const found = await this.#queries.sendingDomain(projectId, domain).catch((cause) => {
      throw new KeysUnavailable(`the DKIM keys of ${domain} could not be read`, { cause })
    })
    if (!found) throw await this.#held(projectId, domain)
    // No later than it is there, as the answer took its time: no signature comes from the future
    const behindMs = found.readAt.getTime() - performance.now()
    const keys = found.keys.map((row) => ({
      domain: found.name,
      selector: row.selector,
      algorithm: row.algorithm as DkimKey['algorithm'],
      privateKey: this.#open(row.privateKey, found.name),
    }))
    return { keys, returnPathHost: found.returnPathHost, behindMs }
  }

  /** Its mail was held when the domain was lost; what came in since then is held now. */
  async #held(projectId: string, domain: string): Promise<Error> {
    try {
      await this.#queries.holdUnverified(projectId, domain)
    } catch (cause) {
      return new KeysUnavailable(`mail of ${domain} could not be held`, { cause })
    }
    return new DomainNotVerified(`${domain} is not verified`)
  }

  #open(sealed: Buffer, domain: string): KeyObject {
    try {
      return createPrivateKey(this.#box.open(sealed, domain))
    } catch (cause) {
      throw new SigningKeyError(`the DKIM key of ${domain} cannot be used`, { cause })
    }
  }
}
