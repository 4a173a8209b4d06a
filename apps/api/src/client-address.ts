/** Where a request comes from. */
import { isIP } from 'node:net'
import { plainAddress } from '@postel/runtime/networks'
import type { Request } from 'express'

/**
 * The client's address: that of the connection, or, where the connection is from one of API_TRUSTED_PROXIES, the last
 * address in X-Forwarded-For that is not of such a proxy. Null when it cannot be told.
 */
export function clientAddress(request: Request): string | null {
  // express reads the header as far as `trust proxy` allows, and believes any text there
  for (const address of [request.ip, request.socket.remoteAddress]) {
    const plain = plainAddress(address ?? '')
    if (isIP(plain) !== 0 && !plain.includes('%')) return plain
  }
  return null
}
