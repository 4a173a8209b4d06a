/** Takes the PROXY header off a connection that has just been accepted, and leaves what is behind it to be read. */
import type { Socket } from 'node:net'
import { type ProxiedClient, readProxyHeader } from './proxy-header.ts'

/** A balancer sends it at once, before its own client has said anything. */
const headerSeconds = 5

/** What came instead of a header. `silent`: nothing at all came, as from a check whether the port is open. */
export type MissingHeader = { problem: string; silent: boolean }

/** Calls back once: with the client, or after it has closed the connection, on which nothing has been said. */
export function receiveProxyHeader(
  socket: Socket,
  done: (missing: MissingHeader | undefined, client: ProxiedClient) => void,
): void {
  let received: Buffer = Buffer.alloc(0)
  const finish = (missing: MissingHeader | undefined, client: ProxiedClient = null) => {
    clearTimeout(deadline)
    socket.off('readable', read)
    socket.off('end', gone)
    socket.off('close', gone)
    socket.off('error', gone)
    if (missing) {
      // It may still break while it is being closed
      socket.on('error', () => {})
      socket.destroy()
    }
    done(missing, client)
  }
  const gone = () => finish({ problem: 'closed within the PROXY header', silent: received.length === 0 })
  const read = () => {
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk])
      const header = readProxyHeader(received)
      if (header === 'incomplete') continue
      if ('problem' in header) return finish({ problem: header.problem, silent: false })
      if (header.length < received.length) socket.unshift(received.subarray(header.length))
      return finish(undefined, header.client)
    }
  }
  const deadline = setTimeout(
    () => finish({ problem: `no PROXY header within ${headerSeconds} s`, silent: false }),
    headerSeconds * 1000,
  )
  socket.on('readable', read)
  socket.on('end', gone)
  socket.on('close', gone)
  socket.on('error', gone)
}
