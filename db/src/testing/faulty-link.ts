/** A TCP link between Postel and Postgres that goes bad in the ways that real links do: silent, slow, cut, or cut at the worst moment. */
import { once } from 'node:events'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'

/** Which connections: by the beginning of their application_name. Default: all. */
export type Which = string

type Fault = 'swallow' | 'hold'

type Line = {
  application: string
  client: Socket
  server: Socket
  /** What came while the line was held, in order. */
  held: { to: Socket; chunk: Buffer }[]
  /** Bytes were swallowed: nothing can pass any more. */
  dead: boolean
  /** Texts of prepared statements by name. */
  statements: Map<string, string>
  /** Bytes of the client that are no whole message yet. */
  rest: Buffer
  /** The reply that comes now is to be lost. */
  losing: (() => void) | undefined
}

type Loss = { text: string; which: Which; done: () => void }

/** postgres.js and pg without TLS: the first message of a connection has no type, all others have. */
export class FaultyLink {
  /** The database by way of this link. */
  readonly url: string
  readonly #server: Server
  readonly #lines = new Set<Line>()
  readonly #faults = new Map<Which, Fault>()
  readonly #losses: Loss[] = []
  readonly #made: string[] = []
  #target: URL

  private constructor(server: Server, target: URL) {
    this.#server = server
    this.#target = target
    const url = new URL(target)
    url.hostname = '127.0.0.1'
    url.port = String((server.address() as { port: number }).port)
    this.url = url.href
    server.on('connection', (client) => this.#open(client))
  }

  static async start(databaseUrl: string): Promise<FaultyLink> {
    const server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new FaultyLink(server, new URL(databaseUrl))
  }

  /** From now on bytes go nowhere, in both directions, and nobody is told; what was connected stays dead after mend(). */
  swallow(which: Which = ''): void {
    this.#faults.set(which, 'swallow')
  }

  /** From now on bytes go nowhere, and arrive late, at mend(), whether or not their sender still waits. */
  hold(which: Which = ''): void {
    this.#faults.set(which, 'hold')
  }

  /** Ends swallow() and hold(). */
  mend(): void {
    this.#faults.clear()
    for (const line of this.#lines) {
      for (const { to, chunk } of line.held.splice(0)) to.write(chunk)
      if (line.client.destroyed) line.server.end()
    }
  }

  /** Resets what is connected now; new connections are made as before. */
  cut(which: Which = ''): void {
    for (const line of this.#lines) if (line.application.startsWith(which)) reset(line)
  }

  /**
   * Lets the next statement whose text contains this pass, loses its reply and cuts the connection: it was committed and
   * its sender cannot know. Resolves when that has happened.
   */
  loseReplyTo(text: string, which: Which = ''): Promise<void> {
    return new Promise((done) => this.#losses.push({ text, which, done }))
  }

  /** How many connections of an application have ever been made. */
  made(application: string): number {
    return this.#made.filter((name) => name === application).length
  }

  async stop(): Promise<void> {
    for (const line of this.#lines) reset(line)
    this.#server.close()
    await once(this.#server, 'close')
  }

  #open(client: Socket): void {
    const server = dial({ port: Number(this.#target.port), host: this.#target.hostname, noDelay: true })
    const line: Line = {
      application: '',
      client,
      server,
      held: [],
      dead: false,
      statements: new Map(),
      rest: Buffer.alloc(0),
      losing: undefined,
    }
    this.#lines.add(line)
    client.on('data', (chunk) => {
      this.#read(line, chunk)
      this.#pass(line, server, chunk)
    })
    server.on('data', (chunk) => {
      if (!line.losing) return this.#pass(line, client, chunk)
      if (!endsReady(chunk)) return
      line.losing()
      reset(line)
    })
    client.on('error', () => {})
    server.on('error', () => {})
    client.on('close', () => {
      // What is on its way still arrives, as with a kernel that keeps sending for a process that is gone
      if (line.held.length === 0) server.destroy()
    })
    server.on('close', () => {
      this.#lines.delete(line)
      if (!line.dead) client.destroy()
    })
  }

  #pass(line: Line, to: Socket, chunk: Buffer): void {
    const fault = [...this.#faults].find(([which]) => line.application.startsWith(which))?.[1]
    if (fault === 'swallow') line.dead = true
    if (line.dead) return
    if (fault === 'hold') line.held.push({ to, chunk })
    else to.write(chunk)
  }

  /** Follows what the client says, to know its application and when a statement comes whose reply is to be lost. */
  #read(line: Line, chunk: Buffer): void {
    line.rest = line.rest.length > 0 ? Buffer.concat([line.rest, chunk]) : chunk
    for (;;) {
      const started = line.application !== ''
      const head = started ? 1 : 0
      if (line.rest.length < head + 4) return
      const end = head + line.rest.readInt32BE(head)
      if (line.rest.length < end) return
      const message = line.rest.subarray(0, end)
      line.rest = line.rest.subarray(end)
      if (started) {
        this.#follow(line, String.fromCharCode(message[0]!), message.subarray(5))
      } else {
        line.application = applicationOf(message)
        this.#made.push(line.application)
      }
    }
  }

  #follow(line: Line, type: string, body: Buffer): void {
    let text: string | undefined
    if (type === 'Q') text = body.toString()
    if (type === 'P') {
      const [name, statement] = body.toString('latin1').split('\0')
      line.statements.set(name!, statement!)
    }
    if (type === 'B') text = line.statements.get(body.toString('latin1').split('\0', 2)[1]!)
    if (text === undefined) return
    const index = this.#losses.findIndex(
      (loss) => text.includes(loss.text) && line.application.startsWith(loss.which),
    )
    if (index >= 0) line.losing = this.#losses.splice(index, 1)[0]!.done
  }
}

function reset(line: Line): void {
  line.held = []
  line.client.resetAndDestroy()
  line.server.destroy()
}

/** `?` for a client that does not say. */
function applicationOf(startup: Buffer): string {
  const words = startup.subarray(8).toString('latin1').split('\0')
  return words[words.indexOf('application_name') + 1] || '?'
}

/** ReadyForQuery is the end of the reply. */
function endsReady(chunk: Buffer): boolean {
  return chunk.subarray(-6, -1).equals(Buffer.of(0x5a, 0, 0, 0, 5))
}
