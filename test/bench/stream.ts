/** Mail at a steady rate: each message is sent when it is due, however long those before it take (an open loop). */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from './cleanup.ts'
import { sender } from './load.ts'
import { openSession, type SmtpSession } from './smtp-session.ts'

export type StreamPlan = {
  /** Of 127.0.0.1, where it is submitted. */
  port: number
  perSecond: number
  /** Source addresses on loopback, by which the submission service knows the project; used in turn. */
  clients: readonly string[]
  /** Recipient domains; each client uses them in turn. */
  domains: readonly string[]
  bytes: number
  /** Begins the tokens of this stream. */
  prefix: string
}

/** One message; times are performance.now(). */
export type Sent = { token: string; sentAt: number; repliedAt: number }

/** Taken: answered with 250. Refused: anything else, a broken session included. */
export type StreamCounts = { taken: number; refused: number }

export type Stream = {
  readonly counts: StreamCounts
  /** Sends nothing more; resolves when what is under way has been answered. */
  stop(): Promise<StreamCounts>
}

/** More than that many messages of one client wait for a session. */
const sessionsPerClient = 100

/** Begins at once. */
export function startStream(cleanup: Cleanup, plan: StreamPlan, onSent: (sent: Sent) => void): Stream {
  const counts: StreamCounts = { taken: 0, refused: 0 }
  const clients = plan.clients.map((address) => new Client(cleanup, plan.port, address))
  const underWay = new Set<Promise<void>>()
  const body = bodyOf(plan.bytes)
  let stopped = false

  const send = async (number: number) => {
    const client = clients[number % clients.length]!
    const domain = plan.domains[Math.floor(number / clients.length) % plan.domains.length]!
    const token = `${plan.prefix}${number}`
    try {
      const times = await client.send(compose(token, body), `${token}@${domain}`)
      counts.taken++
      onSent({ token, ...times })
    } catch {
      counts.refused++
    }
  }
  const running = (async () => {
    const startedAt = performance.now()
    for (let number = 0; !stopped; ) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * plan.perSecond)
      for (; number <= due; number++) {
        const sending = send(number)
        underWay.add(sending)
        void sending.then(() => underWay.delete(sending))
      }
      await sleep(Math.max(1, startedAt + (number * 1000) / plan.perSecond - performance.now()))
    }
  })()
  return {
    counts,
    stop: async () => {
      stopped = true
      await running
      await Promise.all(underWay)
      return counts
    },
  }
}

/** Sessions from one address: opened as they are needed, used in turn so that none idles for long. */
class Client {
  readonly #cleanup: Cleanup
  readonly #port: number
  readonly #address: string
  readonly #idle: SmtpSession[] = []
  readonly #waiting: ((session: SmtpSession | undefined) => void)[] = []
  #open = 0

  constructor(cleanup: Cleanup, port: number, address: string) {
    this.#cleanup = cleanup
    this.#port = port
    this.#address = address
  }

  async send(message: string, to: string): Promise<{ sentAt: number; repliedAt: number }> {
    const session = await this.#take()
    try {
      const times = await session.send(message, to)
      const next = this.#waiting.shift()
      if (next) next(session)
      else this.#idle.push(session)
      return times
    } catch (error) {
      this.#lose()
      throw error
    }
  }

  async #take(): Promise<SmtpSession> {
    const idle = this.#idle.shift()
    if (idle) return idle
    if (this.#open >= sessionsPerClient) {
      const handed = await new Promise<SmtpSession | undefined>((resolve) => this.#waiting.push(resolve))
      if (handed) return handed
    }
    this.#open++
    try {
      return await openSession(this.#cleanup, this.#port, this.#address)
    } catch (error) {
      this.#lose()
      throw error
    }
  }

  /** Who waits for a session may open one instead. */
  #lose(): void {
    this.#open--
    this.#waiting.shift()?.(undefined)
  }
}

function compose(token: string, body: string): string {
  return [
    `From: ${sender}`,
    'To: undisclosed-recipients:;',
    `Subject: ${token}`,
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${token}@s.test>`,
    '',
    body,
  ].join('\r\n')
}

function bodyOf(bytes: number): string {
  const line = 'Your order has been shipped and will reach you within three working days.\r\n'
  return line.repeat(Math.ceil(bytes / line.length)).trimEnd()
}
