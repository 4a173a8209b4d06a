/** Writes outcomes down in batches: one in flight, what arrives meanwhile is the next. Keeps trying until it commits. */

import { databaseFault } from '@postel/db/errors'
import type { OutboundQueries, Outcome } from '@postel/db/queries/outbound'
import { backoffMs, pause } from '@postel/runtime/backoff'
import type { OutboundEvents } from './events.ts'

const batchMax = 200
/** A statement costs as much as ten outcomes in it: small batches start no more often than every 15 ms. */
const smallBatch = 40
const smallBatchEveryMs = 15
const unstorable = 'The reply could not be stored'

export type RecorderOptions = {
  queries: OutboundQueries
  events: OutboundEvents
  /** After the commit. */
  onRecorded: (outcomes: readonly Outcome[], due: Date[], events: string[]) => void
}

export class Recorder {
  readonly #options: RecorderOptions
  #pending: Outcome[] = []
  #writing: Promise<void> | undefined
  #inBatch = 0
  /** When a batch was last begun. */
  #startedAt = Number.NEGATIVE_INFINITY
  readonly #aborted = new AbortController()

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** Outcomes that are not committed yet. */
  get count(): number {
    return this.#pending.length + this.#inBatch
  }

  add(outcome: Outcome): void {
    this.#pending.push(outcome)
    this.#writing ??= this.#write()
  }

  /** Resolves when all is committed, or after `ms`: what is left then is in doubt for whoever takes over. */
  async flush(ms: number): Promise<void> {
    const deadline = setTimeout(() => this.#aborted.abort(), ms)
    while (this.#writing) await this.#writing
    clearTimeout(deadline)
  }

  async #write(): Promise<void> {
    // Let what ends in this turn of the event loop join the batch
    await new Promise(setImmediate)
    while (this.#pending.length > 0 && !this.#aborted.signal.aborted) {
      const waitMs = this.#startedAt + smallBatchEveryMs - performance.now()
      if (waitMs > 0 && this.#pending.length < smallBatch) await pause(waitMs, this.#aborted.signal)
      this.#startedAt = performance.now()
      const batch = this.#pending.splice(0, batchMax)
      this.#inBatch = batch.length
      await this.#record(batch)
      this.#inBatch = 0
    }
    // Not a turn later: what is added by then would wait for what comes after it
    this.#writing = undefined
  }

  async #record(batch: Outcome[]): Promise<void> {
    const { queries, events, onRecorded } = this.#options
    for (let failures = 0; !this.#aborted.signal.aborted; failures++) {
      try {
        const { due, events: made } = await queries.record(batch)
        onRecorded(batch, due, made)
        return
      } catch (error) {
        events.recordFailed(error, batch.length)
        if (databaseFault(error) === 'data' && batch.length > 1) {
          // One outcome that cannot be stored must not keep the others from it
          for (const outcome of batch) await this.#record([outcome])
          return
        }
        if (databaseFault(error) === 'data' && batch[0]?.recipients[0]?.reply !== unstorable)
          return this.#record(batch.map(withoutTexts))
        await pause(backoffMs(failures, 100, 5_000) + 50, this.#aborted.signal)
      }
    }
  }
}

/** What a remote said may be what cannot be stored; what became of the message is not. */
function withoutTexts(outcome: Outcome): Outcome {
  return {
    ...outcome,
    mxHost: null,
    mxAddress: null,
    tls: null,
    recipients: outcome.recipients.map((recipient) => ({
      ...recipient,
      enhancedCode: null,
      category: null,
      reply: unstorable,
    })),
  }
}
