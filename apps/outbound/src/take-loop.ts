/** From lanes to sites: take → load → sign → hand over. One load at a time; what ends meanwhile makes room for the next. */
import type { Descriptor, LoadedMessage, OutboundQueries } from '@postel/db/queries/outbound'
import { testDomain } from '@postel/db/test-mail'
import { keyUnusable, outcomeOf } from './deliver.ts'
import type { OutboundEvents } from './events.ts'
import type { Lanes } from './lanes.ts'
import type { Reader } from './reader.ts'
import type { Recorder } from './recorder.ts'
import { DomainNotVerified, KeysUnavailable, type Signer, SigningKeyError } from './sign.ts'
import type { Sites } from './sites.ts'
import type { TestMail } from './test-mail.ts'

const batchMax = 100
const batchBytesMax = 16 * 1024 * 1024
/** Outcomes that wait for the database; beyond it nothing new is taken. */
const unrecordedMax = 2_000
/** Much mail is held in the background. */
const heldMs = 1_000
const retryLoadMs = 1_000

export type TakeLoopOptions = {
  queries: OutboundQueries
  lanes: Lanes
  reader: Reader
  sites: Sites
  testMail: TestMail
  recorder: Recorder
  signer: Signer
  events: OutboundEvents
  /** Makes sure that it is known what is in flight, where that matters before the message is touched. */
  announce: () => Promise<void> | undefined
  /** This system failed on the message; it stays in flight until that is written down. */
  onFault: (message: LoadedMessage, error: unknown, inDoubt: boolean) => void
  /** Whether mail of that source IP, project and domain may be sent at all now; unparking `stopped` says that it changed. */
  mayStart: (of: Pick<Descriptor, 'ipId' | 'projectId' | 'domain'>) => boolean
}

/** Lanes of IPs, projects and domains that nothing may be sent for now are parked under this name. */
export const stopped = 'stopped'

export class TakeLoop {
  readonly #options: TakeLoopOptions
  /** Rows loaded, or about to be, and not recorded, with their IPs: what a successor must treat as tried. */
  readonly inFlight = new Map<number, number>()
  #soon: NodeJS.Immediate | undefined
  #loading: Promise<void> | undefined
  #stopped = false

  constructor(options: TakeLoopOptions) {
    this.#options = options
  }

  /** Takes what there is room for, once this turn of the event loop is over; call it whenever there may be more. */
  pump(): void {
    if (this.#soon || this.#loading || this.#stopped) return
    this.#soon = setImmediate(() => {
      this.#soon = undefined
      this.#take()
    })
  }

  #take(): void {
    if (this.#loading || this.#stopped) return
    const { lanes, recorder, reader, mayStart } = this.#options
    if (lanes.count === 0) return reader.refill()
    if (recorder.count >= unrecordedMax) return
    const batch = lanes.take(batchMax, batchBytesMax, (lane, row) => {
      if (!mayStart(lane)) return stopped
      return this.#placeFor(row).reserve(row)
    })
    reader.refill()
    if (batch.length === 0) return
    for (const row of batch) this.inFlight.set(row.id, row.ipId)
    this.#loading = this.#load(batch).then(() => {
      this.#loading = undefined
      this.pump()
    })
  }

  /** Hands over a message that was read with its body; false when there is no room for it now. */
  accept(message: LoadedMessage): boolean {
    if (this.#stopped || !this.#options.mayStart(message)) return false
    if (this.#placeFor(message).reserve(message) !== undefined) return false
    this.inFlight.set(message.id, message.ipId)
    void this.#sign(message, performance.now())
    return true
  }

  /** Whether anything of the IP is in flight. */
  isBusy(ipId: number): boolean {
    for (const each of this.inFlight.values()) if (each === ipId) return true
    return false
  }

  /** The message has ended or was released. */
  leave(row: Pick<Descriptor, 'id'>): void {
    this.inFlight.delete(row.id)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#loading
  }

  #placeFor({ domain }: Pick<Descriptor, 'domain'>): Sites | TestMail {
    return domain === testDomain ? this.#options.testMail : this.#options.sites
  }

  async #load(batch: readonly Descriptor[]): Promise<void> {
    const { queries, reader, lanes, events } = this.#options
    let loaded: LoadedMessage[]
    try {
      loaded = await queries.load(batch)
    } catch (error) {
      events.loadFailed(error)
      for (const row of batch) {
        this.#placeFor(row).unreserve(row)
        this.leave(row)
        // Of an IP that was given up meanwhile it is another's
        if (reader.knows(row)) lanes.putBack(row)
      }
      await new Promise((resolve) => setTimeout(resolve, retryLoadMs).unref())
      return
    }
    if (loaded.length < batch.length) {
      const found = new Set(loaded.map((message) => message.id))
      for (const row of batch) {
        if (found.has(row.id)) continue
        this.#placeFor(row).unreserve(row)
        this.leave(row)
        reader.forget(row)
      }
    }
    const startedAt = performance.now()
    for (const message of loaded) void this.#sign(message, startedAt)
  }

  async #sign(loaded: LoadedMessage, startedAt: number): Promise<void> {
    let message = loaded
    const { signer, sites, testMail, recorder, reader, events, announce, onFault } = this.#options
    const place = this.#placeFor(message)
    await announce()
    try {
      message = await signer.withReturnPath(loaded)
      const ready = { message, signature: await signer.sign(message.raw, message), startedAt }
      if (!message.test || place === testMail) return place.add(ready)
      // Whatever lane it came by, no connection is opened for it
      sites.unreserve(message)
      testMail.add(ready)
    } catch (error) {
      events.signFailed(message.messageId, error)
      place.unreserve(message)
      if (error instanceof KeysUnavailable || error instanceof DomainNotVerified) {
        // The keys could not be asked for, or the mail is being held: that is no try, and the row is found again if it is there
        if (error instanceof DomainNotVerified)
          await new Promise((resolve) => setTimeout(resolve, heldMs).unref())
        this.leave(message)
        reader.release(message)
        return
      }
      if (!(error instanceof SigningKeyError)) return onFault(message, error, false)
      const outcome = outcomeOf({ message, startedAt }, undefined, keyUnusable)
      events.tried(outcome, message, 'none')
      recorder.add(outcome)
    }
  }
}
