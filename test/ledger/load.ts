/** Clients that submit at a steady rate and write down what they were told. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Random } from './random.ts'
import { SmtpClient } from './smtp-client.ts'

/** What the clients know. A recipient's address is its token: none is used twice. */
export class Ledger {
  /** Every recipient whose message's final dot was sent, whatever came of it. */
  readonly attempted = new Set<string>()
  /** Those whose message was answered with 250: Postel owes them a delivery or a bounce. */
  readonly acked = new Set<string>()
  /** How often each reply that is not a success was given, e.g. `dot 451`. */
  readonly refusals = new Map<string, number>()
  /** Messages numbered so far. */
  messages = 0

  refuse(step: string, code: number): void {
    const key = `${step} ${code}`
    this.refusals.set(key, (this.refusals.get(key) ?? 0) + 1)
  }
}

export type LoadOptions = {
  port: number
  ledger: Ledger
  random: Random
  /** Default 4. */
  sessions?: number
  /** By all sessions together. Default 50. */
  messagesPerSecond?: number
}

export class Load {
  readonly #options: Required<LoadOptions>
  readonly #stopped = new AbortController()
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: LoadOptions) {
    this.#options = { sessions: 4, messagesPerSecond: 50, ...options }
  }

  start(): this {
    this.#running = Promise.all(Array.from({ length: this.#options.sessions }, () => this.#session()))
    return this
  }

  /** Ends after the messages that are on their way. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  /** One session, opened again whenever it ends. */
  async #session(): Promise<void> {
    const { port, sessions, messagesPerSecond } = this.#options
    const everyMs = (1000 * sessions) / messagesPerSecond
    const { signal } = this.#stopped
    let client: SmtpClient | undefined
    while (!signal.aborted) {
      const began = performance.now()
      try {
        client ??= await SmtpClient.open(port)
        if (!(await this.#submit(client))) {
          client.close()
          client = undefined
        }
      } catch {
        client?.close()
        client = undefined
      }
      await pause(Math.max(5, began + everyMs - performance.now()), undefined, { signal }).catch(() => {})
    }
    client?.close()
  }

  /** False when the session is of no more use. */
  async #submit(client: SmtpClient): Promise<boolean> {
    const { ledger } = this.#options
    const recipients = this.#recipients()
    const step = async (name: string, command: string, code: number) => {
      const reply = await client.ask(command)
      if (reply.code === code) return true
      ledger.refuse(name, reply.code)
      return false
    }
    if (!(await step('mail', 'MAIL FROM:<load@s.test>', 250))) return false
    for (const recipient of recipients) if (!(await step('rcpt', `RCPT TO:<${recipient}>`, 250))) return false
    if (!(await step('data', 'DATA', 354))) return false
    for (const recipient of recipients) ledger.attempted.add(recipient)
    const { length } = recipients
    client.socket.write(
      `From: load@s.test\r\nSubject: ${recipients[0]}\r\n\r\n${'line\r\n'.repeat(50 * length)}.\r\n`,
    )
    const reply = await client.reply()
    if (reply.code !== 250) {
      ledger.refuse('dot', reply.code)
      return reply.code !== 421
    }
    for (const recipient of recipients) ledger.acked.add(recipient)
    return true
  }

  #recipients(): string[] {
    const { ledger, random } = this.#options
    const number = ++ledger.messages
    const kind = random.next()
    const prefix = kind < 0.03 ? 'bounce' : kind < 0.06 ? 'later' : 'to'
    const count = random.next() < 0.8 ? 1 : 3
    return Array.from(
      { length: count },
      (_, index) => `${index === 0 ? prefix : 'to'}-${number}-${index}@d${number % 5 === 0 ? index : 0}.test`,
    )
  }
}
