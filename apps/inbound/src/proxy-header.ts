/**
 * The PROXY protocol's header (HAProxy, versions 1 and 2): what a load balancer says of the client before the client's own
 * first octet. Both versions are read here, strictly: smtp-server knows only the first, and takes much for it that is none.
 */
import { isIP, SocketAddress } from 'node:net'

/** null: the header names no client (a balancer's own health check, or what is neither IPv4 nor IPv6). */
export type ProxiedClient = { address: string; port: number } | null

/** `length`: where the client's own octets begin. */
export type ProxyHeader = 'incomplete' | { problem: string } | { client: ProxiedClient; length: number }

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const v2HeadBytes = 16
/** Addresses and TLVs; the protocol would allow 64 KiB. */
const v2PayloadBytesMax = 4_096
const v1Prefix = Buffer.from('PROXY ', 'latin1')
/** With its CRLF. */
const v1BytesMax = 107
const v1Form = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/
const portMax = 65_535

/** Reads a header from the beginning of a connection. Anything that cannot become one is told at its first octet. */
export function readProxyHeader(octets: Buffer): ProxyHeader {
  if (startsLike(octets, signature)) return octets.length < v2HeadBytes ? 'incomplete' : readV2(octets)
  if (startsLike(octets, v1Prefix)) return readV1(octets)
  return { problem: 'no PROXY header' }
}

/** Whether one begins with the other, whichever is longer. */
function startsLike(octets: Buffer, start: Buffer): boolean {
  const shared = Math.min(octets.length, start.length)
  return octets.subarray(0, shared).equals(start.subarray(0, shared))
}

function readV1(octets: Buffer): ProxyHeader {
  const end = octets.subarray(0, v1BytesMax).indexOf('\r\n')
  if (end < 0) return octets.length < v1BytesMax ? 'incomplete' : { problem: 'no end of a version 1 header' }
  const line = octets.toString('latin1', 0, end)
  const length = end + 2
  // What follows UNKNOWN is to be ignored
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { client: null, length }
  const [, digit, source = '', destination = '', ...ports] = v1Form.exec(line) ?? []
  const family = Number(digit)
  const fits = [source, destination].every((address) => isIP(address) === family && !address.includes('%'))
  if (!fits || ports.some((port) => Number(port) > portMax)) return { problem: 'malformed version 1 header' }
  return { client: { address: canonical(source), port: Number(ports[0]) }, length }
}

function readV2(octets: Buffer): ProxyHeader {
  const payloadBytes = octets.readUInt16BE(14)
  const version = octets[12]! >> 4
  const command = octets[12]! & 15
  const family = octets[13]! >> 4
  const transport = octets[13]! & 15
  if (version !== 2 || command > 1 || family > 3 || transport > 2)
    return { problem: 'malformed version 2 header' }
  if (payloadBytes > v2PayloadBytesMax) return { problem: 'version 2 header too long' }
  const length = v2HeadBytes + payloadBytes
  if (octets.length < length) return 'incomplete'
  const isInternet = family === 1 || family === 2
  if (command === 0 || !isInternet || transport === 0) return { client: null, length }
  if (transport !== 1) return { problem: 'a client that is not on TCP' }
  const addressBytes = family === 1 ? 4 : 16
  if (payloadBytes < 2 * addressBytes + 4) return { problem: 'version 2 header too short' }
  const address = octets.subarray(v2HeadBytes, v2HeadBytes + addressBytes)
  const port = octets.readUInt16BE(v2HeadBytes + 2 * addressBytes)
  const text = family === 1 ? address.join('.') : address.toString('hex').replace(/.{4}(?=.)/g, '$&:')
  return { client: { address: canonical(text), port }, length }
}

/** The one way to write an address; IPv4 that came as IPv6 as what it is. */
function canonical(address: string): string {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  return new SocketAddress({ address, family }).address.replace(/^::ffff:(?=\d+\.)/, '')
}
