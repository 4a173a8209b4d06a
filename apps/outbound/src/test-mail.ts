/**
 * Mail that was submitted with a test key: it is kept in the sandbox mailbox whatever the delivery mode, and no connection
 * is opened for it. Recipients `bounced@`, `delayed@` and `complained@` (also `bounced+anything@`), of any domain, do what
 * they are called; `suppressed@` is dealt with where mail is stored.
 */
import type { HeldIp, LoadedMessage, Outcome } from '@postel/db/queries/outbound'
import type { SandboxStore } from '@postel/db/queries/sandbox-store'
import { bounced, type Verdict } from './classify.ts'
import { outcomeOf, type ReadyMessage } from './deliver.ts'

export type TestMailOptions = {
  store: Pick<SandboxStore, 'add' | 'complain'>
  hostname: string
  sendable: (ipId: number) => HeldIp | undefined
  onOutcome: (outcome: Outcome, message: LoadedMessage) => void
  /** It could not be kept: it stays in the queue. */
  onReleased: (message: LoadedMessage) => void
  onError: (error: unknown) => void
  /** What waited under the name `test mail` may be taken. */
  onRoom: () => void
}

/** Messages that are being kept at one time. */
const inFlightMax = 100
const noRoom = 'test mail'

/** Takes the place of the sites, for test mail. */
export class TestMail {
  readonly #options: TestMailOptions
  readonly #reserved = new Set<number>()
  /** Who complains once it is on record that they got it, by outcome. */
  readonly #complaints = new WeakMap<Outcome, number[]>()
  #keeping = new Set<Promise<void>>()

  constructor(options: TestMailOptions) {
    this.#options = options
  }

  /** Takes the place for a row that is about to be loaded; or says what is in the way. */
  reserve({ id }: { id: number }): string | undefined {
    if (this.#reserved.size >= inFlightMax) return noRoom
    this.#reserved.add(id)
    return undefined
  }

  unreserve({ id }: { id: number }): void {
    if (!this.#reserved.delete(id)) return
    this.#options.onRoom()
  }

  add(ready: ReadyMessage): void {
    const keeping = this.#keep(ready).finally(() => {
      this.#keeping.delete(keeping)
      this.unreserve(ready.message)
    })
    this.#keeping.add(keeping)
  }

  /** These outcomes are on record. */
  recorded(outcomes: readonly Outcome[]): void {
    for (const outcome of outcomes) {
      const numbers = this.#complaints.get(outcome)
      if (numbers) this.#options.store.complain(outcome.messageId, numbers).catch(this.#options.onError)
    }
  }

  /** Resolves when nothing is being kept any more. */
  async stop(): Promise<void> {
    await Promise.all(this.#keeping)
  }

  async #keep(ready: ReadyMessage): Promise<void> {
    const { store, hostname, sendable, onOutcome, onReleased, onError } = this.#options
    const { message, signature } = ready
    const verdicts = new Map(
      message.recipients.map((recipient) => [recipient, verdictOf(recipient, message)]),
    )
    const recipients = message.recipients.filter((each) => verdicts.get(each)!.outcome === 'delivered')
    const ip = sendable(message.ipId)
    try {
      if (recipients.length > 0)
        await store.add({
          messageId: message.messageId,
          clientAddress: ip?.address ?? '',
          ehloName: ip?.ehloName ?? hostname,
          envelopeFrom: message.envelopeFrom,
          recipients,
          raw: Buffer.concat([signature, message.raw]),
        })
    } catch (error) {
      onError(error)
      return onReleased(message)
    }
    const outcome = outcomeOf(ready, undefined, (recipient) => verdicts.get(recipient)!)
    const complaining = message.numbers.filter(
      (_, index) => nameOf(message.recipients[index]!) === 'complained',
    )
    if (complaining.length > 0) this.#complaints.set(outcome, complaining)
    onOutcome(outcome, message)
  }
}

/** The local part without its label, in lower case. */
function nameOf(recipient: string): string {
  return recipient.slice(0, recipient.lastIndexOf('@')).split('+', 1)[0]!.toLowerCase()
}

/** delayed@ is late once, and then arrives. */
function verdictOf(recipient: string, { test, attempts }: LoadedMessage): Verdict {
  // Live mail for the domain that stands for test mail
  if (!test) return bounced('5.1.2', 'invalid_recipient', 'The domain does not exist')
  const name = nameOf(recipient)
  if (name === 'bounced')
    return {
      outcome: 'bounced',
      code: 550,
      enhancedCode: '5.1.1',
      category: 'invalid_recipient',
      reply: '550 5.1.1 test mail: this address bounces',
    }
  if (name === 'delayed' && attempts === 0)
    return {
      outcome: 'deferred',
      code: 451,
      enhancedCode: '4.3.0',
      category: 'mailbox',
      reply: '451 4.3.0 test mail: this address is late',
    }
  return {
    outcome: 'delivered',
    code: 250,
    enhancedCode: '2.0.0',
    category: null,
    reply: '250 2.0.0 test mail: kept in the sandbox mailbox',
  }
}
