/** What a Service does in front of pods: new connections go to those that are ready, in turn; who has one keeps it. */
import { connect, createServer, type Server } from 'node:net'

export class Balancer {
  readonly #server: Server
  #ports: readonly number[]
  #turn = 0

  private constructor(ports: readonly number[]) {
    this.#ports = ports
    this.#server = createServer({ noDelay: true }, (near) => {
      const port = this.#ports[this.#turn++ % this.#ports.length]!
      const far = connect({ port, host: '127.0.0.1', noDelay: true })
      near.pipe(far).pipe(near)
      near.on('error', () => far.destroy())
      far.on('error', () => near.destroy())
    })
  }

  static async start(...ports: number[]): Promise<Balancer> {
    const balancer = new Balancer(ports)
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', resolve))
    return balancer
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  /** From the next connection on. */
  use(...ports: number[]): void {
    this.#ports = ports
  }

  stop(): void {
    this.#server.close()
  }
}
