/** A remote mail server on loopback that behaves as a script says and remembers what it saw. */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureVersion, TLSSocket } from 'node:tls'
import { selfSignedCertificate } from '@postel/inbound/self-signed'
import type { Certificate } from '@postel/inbound/tls'

/**
 * What it does at a step: the reply's text (CRLF is added; several lines in one text are several replies), or more.
 * An array is used up one by one as the step is reached again, in whatever session; its last entry stays.
 */
export type Step =
  | string
  | {
      /** '' says nothing. */
      reply: string
      /** Without its CRLF. */
      unfinished?: boolean
      afterMs?: number
      /** A promise that the reply waits for. */
      until?: Promise<unknown>
      then?: 'close' | 'reset'
    }

export type Steps = Step | readonly Step[]

export type MxScript = {
  greeting?: Steps
  /** The extensions that EHLO lists; STARTTLS is added where `starttls` is given. */
  extensions?: readonly string[]
  /** Instead of the list. */
  ehlo?: Steps
  mail?: Steps
  /** For all, or by address (others are accepted). */
  rcpt?: Steps | Readonly<Record<string, Steps>>
  data?: Steps
  dot?: Steps
  rset?: Steps
  quit?: Steps
  /** Default: not offered. `injects` sends more than the 220 before the handshake; `breaks off` resets in the middle of it. */
  starttls?:
    | 'works'
    | 'refused'
    | 'garbage'
    | 'closes'
    | 'resets'
    | 'breaks off'
    | { injects: string }
    | { refuses: string }
  /** Default: one that nobody vouches for, for `fake.test`. */
  certificate?: Certificate
  /** The newest version of TLS that it speaks. */
  tlsMax?: SecureVersion
}

export type MxTransaction = {
  from: string
  to: string[]
  /** MAIL and RCPT as they came. */
  commands: string[]
  /** What came after 354, without the final dot's line: as on the wire, and with its dots un-stuffed. latin1. */
  wire: string
  content: string
  tls: boolean
  source: string
}

export type MxSession = {
  source: string
  ehlo: string
  tls: boolean
  commands: string[]
}

const defaultExtensions = [
  'PIPELINING',
  '8BITMIME',
  'SMTPUTF8',
  'SIZE 50000000',
  'ENHANCEDSTATUSCODES',
  'DSN',
]

let certificate: Certificate | undefined

export class FakeMx {
  script: MxScript
  readonly sessions: MxSession[] = []
  /** Messages whose final dot came, in order, whatever was answered. */
  readonly messages: MxTransaction[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #used = new Map<Steps, number>()

  private constructor(server: Server, script: MxScript) {
    this.#server = server
    this.script = script
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      new Conversation(this, socket).start()
    })
  }

  /** Listens at an address of 127.0.0.0/8. Rejects when the port is taken there. */
  static async start(script: MxScript = {}, address = '127.0.0.2', port = 0): Promise<FakeMx> {
    if (script.starttls) certificate ??= selfSignedCertificate('fake.test')
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(port, address)
    await once(server, 'listening')
    return new FakeMx(server, script)
  }

  /** Several at 127.0.0.2, 127.0.0.3 …, all on one port, as DELIVERY_PORT wants it. */
  static async startAll(scripts: readonly MxScript[]): Promise<FakeMx[]> {
    for (let tries = 0; ; tries++) {
      const started: FakeMx[] = []
      try {
        for (const [index, script] of scripts.entries())
          started.push(await FakeMx.start(script, `127.0.0.${index + 2}`, started[0]?.port ?? 0))
        return started
      } catch (error) {
        await Promise.all(started.map((mx) => mx.stop()))
        if (tries === 20) throw error
      }
    }
  }

  get address(): string {
    return (this.#server.address() as { address: string }).address
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** `from → to, to` of each message whose final dot came. */
  get envelopes(): string[] {
    return this.messages.map(({ from, to }) => `${from} → ${to.join(', ')}`)
  }

  /** Closes what is connected now; new connections are taken. */
  dropSessions(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** How many sessions are open. */
  get open(): number {
    return this.#sockets.size
  }

  async stop(): Promise<void> {
    this.dropSessions()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** The step to do now, its arrays counted on. */
  next(steps: Steps): Step {
    if (!isSequence(steps)) return steps
    const used = this.#used.get(steps) ?? 0
    this.#used.set(steps, used + 1)
    return steps[Math.min(used, steps.length - 1)]!
  }
}

function isSequence(steps: Steps): steps is readonly Step[] {
  return Array.isArray(steps)
}

function isSteps(steps: Steps | Readonly<Record<string, Steps>>): steps is Steps {
  return typeof steps === 'string' || isSequence(steps as Steps) || 'reply' in steps
}

class Conversation {
  readonly #mx: FakeMx
  readonly #session: MxSession
  readonly #plain: Socket
  #socket: Socket
  #input = ''
  #transaction: MxTransaction | undefined
  #inData = false
  #work: Promise<void> = Promise.resolve()

  constructor(mx: FakeMx, socket: Socket) {
    this.#mx = mx
    this.#plain = socket
    this.#socket = socket
    this.#session = { source: socket.remoteAddress!, ehlo: '', tls: false, commands: [] }
    mx.sessions.push(this.#session)
  }

  start(): void {
    this.#listen()
    this.#do(this.#mx.script.greeting ?? '220 fake.test ESMTP')
  }

  #listen(): void {
    this.#socket.on('error', () => {})
    this.#socket.on('data', (chunk: Buffer) => {
      this.#input += chunk.toString('latin1')
      this.#work = this.#work.then(() => this.#read())
    })
    this.#socket.on('end', () => this.#socket.end())
  }

  #do(steps: Steps): void {
    this.#work = this.#work.then(() => this.#perform(this.#mx.next(steps)))
  }

  async #perform(step: Step): Promise<void> {
    const { reply, unfinished, afterMs, until, then } =
      typeof step === 'string' ? ({ reply: step } as Exclude<Step, string>) : step
    if (afterMs) await new Promise((resolve) => setTimeout(resolve, afterMs))
    await until
    if (this.#socket.destroyed) return
    if (reply !== '') this.#socket.write(Buffer.from(`${reply}${unfinished ? '' : '\r\n'}`, 'latin1'))
    if (then === 'reset') this.#plain.resetAndDestroy()
    if (then === 'close') this.#socket.end(() => this.#socket.destroy())
  }

  async #read(): Promise<void> {
    while (!this.#socket.destroyed) {
      if (this.#inData) {
        if (!this.#readContent()) return
        await this.#perform(this.#mx.next(this.#mx.script.dot ?? '250 2.0.0 ok'))
        continue
      }
      const end = this.#input.indexOf('\r\n')
      if (end < 0) return
      const line = this.#input.slice(0, end)
      this.#input = this.#input.slice(end + 2)
      await this.#command(line)
    }
  }

  /** Takes the content up to the final dot; false while it is not all there. */
  #readContent(): boolean {
    const end = this.#input.startsWith('.\r\n') ? -2 : this.#input.indexOf('\r\n.\r\n')
    if (end === -1) return false
    const wire = this.#input.slice(0, end + 2)
    this.#input = this.#input.slice(end + 5)
    this.#inData = false
    const transaction = this.#transaction!
    transaction.wire = wire
    transaction.content = wire.replace(/(^|\r\n)\./g, '$1')
    this.#mx.messages.push(transaction)
    this.#transaction = undefined
    return true
  }

  async #command(line: string): Promise<void> {
    const { script } = this.#mx
    this.#session.commands.push(line)
    switch (line.slice(0, 4).toUpperCase()) {
      case 'EHLO':
      case 'HELO':
        this.#session.ehlo = line.slice(5)
        return this.#perform(this.#mx.next(script.ehlo ?? this.#greet()))
      case 'STAR':
        return this.#starttls()
      case 'MAIL':
        this.#transaction = {
          from: pathOf(line),
          to: [],
          commands: [line],
          wire: '',
          content: '',
          tls: this.#session.tls,
          source: this.#session.source,
        }
        return this.#perform(this.#mx.next(script.mail ?? '250 2.1.0 ok'))
      case 'RCPT':
        return this.#rcpt(line)
      case 'DATA':
        return this.#data()
      case 'RSET':
        this.#transaction = undefined
        return this.#perform(this.#mx.next(script.rset ?? '250 2.0.0 ok'))
      case 'QUIT':
        return this.#perform(this.#mx.next(script.quit ?? { reply: '221 2.0.0 bye', then: 'close' }))
      default:
        return this.#perform('250 2.0.0 ok')
    }
  }

  async #rcpt(line: string): Promise<void> {
    const { rcpt = {} } = this.#mx.script
    const address = pathOf(line)
    const step = this.#mx.next(isSteps(rcpt) ? rcpt : (rcpt[address] ?? '250 2.1.5 ok'))
    this.#transaction?.commands.push(line)
    if ((typeof step === 'string' ? step : step.reply).startsWith('2')) this.#transaction?.to.push(address)
    await this.#perform(step)
  }

  async #data(): Promise<void> {
    if (!this.#transaction?.to.length) return this.#perform('554 5.5.1 no valid recipients')
    const step = this.#mx.next(this.#mx.script.data ?? '354 go on')
    this.#inData = /^(?:.*\r\n)*354/.test(typeof step === 'string' ? step : step.reply)
    await this.#perform(step)
  }

  #greet(): string {
    const lines = ['fake.test', ...(this.#mx.script.extensions ?? defaultExtensions)]
    if (this.#mx.script.starttls && !this.#session.tls) lines.push('STARTTLS')
    return lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n')
  }

  async #starttls(): Promise<void> {
    const { starttls } = this.#mx.script
    if (!starttls || starttls === 'refused') return this.#perform('454 4.7.0 TLS not available')
    if (typeof starttls === 'object' && 'refuses' in starttls) return this.#perform(starttls.refuses)
    if (starttls === 'closes') return this.#perform({ reply: '220 go', then: 'close' })
    if (starttls === 'resets') return this.#perform({ reply: '220 go', then: 'reset' })
    if (starttls === 'garbage' || starttls === 'breaks off') {
      await this.#perform('220 go')
      this.#socket.removeAllListeners('data')
      this.#socket.once('data', () => {
        if (starttls === 'breaks off') this.#plain.resetAndDestroy()
        else this.#socket.write('this is not a TLS record, whatever you thought\r\n')
      })
      return
    }
    await this.#perform(starttls === 'works' ? '220 go' : `220 go\r\n${starttls.injects}`)
    certificate ??= selfSignedCertificate('fake.test')
    const { tlsMax } = this.#mx.script
    const secureContext = createSecureContext({
      ...(this.#mx.script.certificate ?? certificate),
      ...(tlsMax && { maxVersion: tlsMax, minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' }),
    })
    for (const event of ['data', 'end']) this.#socket.removeAllListeners(event)
    const secure = new TLSSocket(this.#socket, { isServer: true, secureContext })
    this.#session.tls = true
    this.#input = ''
    this.#socket = secure
    this.#listen()
  }
}

function pathOf(line: string): string {
  return /<([^>]*)>/.exec(line)?.[1] ?? ''
}
