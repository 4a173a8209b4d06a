/** The IPs that the default pool gets, and that outbound holds. */
import { createSocket } from 'node:dgram'
import type { StandaloneConfig } from './config.ts'
import { bindable } from './ports.ts'

const loopback = ['127.0.0.1', '127.0.0.2', '127.0.0.3']

/**
 * OUTBOUND_ADDRESSES where given. Else in the sandbox three of the loopback network, as far as this machine has them (macOS has
 * one), otherwise the address that this machine's default route uses.
 */
export async function sourceAddresses(config: StandaloneConfig): Promise<string[]> {
  if (config.OUTBOUND_ADDRESSES.length > 0) return [...config.OUTBOUND_ADDRESSES]
  if (config.DELIVERY_MODE === 'sandbox') return bindable(loopback)
  return [(await routedAddress()) ?? '127.0.0.1']
}

/** Connecting a datagram socket sends nothing: it only makes the system choose a route. The target is TEST-NET-1 (RFC 5737). */
function routedAddress(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const done = (address?: string) => {
      socket.close()
      resolve(address)
    }
    socket.once('error', () => done())
    socket.connect(53, '192.0.2.1', () => done(socket.address().address))
  })
}
