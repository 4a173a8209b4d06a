/** An open session, and whether it may carry the mail of another destination of its site. */
import type { HeldIp } from '@postel/db/queries/outbound'
import type { Destination } from './plan.ts'
import type { SmtpClient } from './smtp-client.ts'
import type { Limits } from './throttle.ts'
import { mayCarry, type TlsFloor } from './tls-policy.ts'

export class Session {
  readonly client: SmtpClient
  /** Of the last message. */
  destination: Destination
  /** What it has been found good for. */
  floor: TlsFloor

  constructor(client: SmtpClient, destination: Destination, floor: TlsFloor) {
    this.client = client
    this.destination = destination
    this.floor = floor
  }

  quit(): void {
    this.client.quit()
  }
}

/**
 * Whether the session may go on with a message of this destination: the same server where an operator named one, else one
 * of its exchangers and none but the best that can be reached; the TLS that it needs; and the session's age.
 */
export async function carries(
  session: Session,
  destination: Destination,
  floor: TlsFloor,
  ip: HeldIp,
  limits: Limits,
): Promise<boolean> {
  const { client } = session
  if (!client.usable || client.sent >= limits.messagesPerConnection) return false
  if (destination === session.destination && floor === session.floor) return true
  if (destination.endpoint !== session.destination.endpoint) return false
  if (destination.hosts && !destination.hosts.includes(client.host)) return false
  const route = await destination.resolve(ip)
  if ('verdict' in route || !client.usable || !mayCarry(client, route.policy, floor)) return false
  // Where the better exchangers can be asked again, they are (RFC 5321 §5.1)
  if (route.preferred?.includes(client.host) === false) return false
  client.terms = { policy: route.policy, floor }
  session.floor = floor
  return true
}
