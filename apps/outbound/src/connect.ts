/** From a route to a session: address by address, TLS first, and what it means when none takes us. */
import type { HeldIp } from '@postel/db/queries/outbound'
import { deferred, failed, type Verdict } from './classify.ts'
import type { Route, Target } from './route.ts'
import { SmtpClient } from './smtp-client.ts'
import type { SmtpError } from './smtp-connection.ts'

export type ConnectOptions = {
  ip: HeldIp
  ehloName: string
  commandSeconds: number
  finalDotSeconds: number
  implicitTls: boolean
  requireTls: boolean
  /** The certificate must be good, whatever the kind of TLS. */
  verify: boolean
  auth?: { user: string; pass: string } | undefined
  /** Gives up connecting. */
  signal: AbortSignal
}

const connectSeconds = 30

/** A session with the first address that takes one, or why none does. Never rejects. */
export async function connectTo(
  route: Route,
  options: ConnectOptions,
): Promise<{ client: SmtpClient } | { verdict: Verdict; target: Target | undefined } | { local: true }> {
  if ('verdict' in route) return { verdict: route.verdict, target: undefined }
  let verdict: Verdict | undefined
  let target: Target | undefined
  for (target of route.targets) {
    if (options.signal.aborted) break
    const result = await open(target, options)
    if (!('verdict' in result)) return result
    // 5yz from one host says nothing about the others; only when all say so is it final
    if (!verdict || verdict.outcome === 'bounced') verdict = result.verdict
  }
  return { verdict: verdict ?? deferred('4.4.1', 'connection', 'No address to connect to'), target }
}

async function open(
  target: Target,
  options: ConnectOptions,
): Promise<{ client: SmtpClient } | { verdict: Verdict } | { local: true }> {
  const settings = {
    address: target.address,
    host: target.host,
    port: target.port,
    localAddress: options.ip.address,
    ehloName: options.ehloName,
    connectSeconds,
    commandSeconds: options.commandSeconds,
    finalDotSeconds: options.finalDotSeconds,
    verify: options.verify,
    signal: options.signal,
  }
  const tls = options.implicitTls ? 'implicit' : options.requireTls ? 'required' : 'opportunistic'
  try {
    return { client: await SmtpClient.open({ ...settings, tls }, options.auth) }
  } catch (error) {
    if (isLocalFault(error)) return { local: true }
    // Nothing has been said about the message yet, so a remote whose TLS is broken may be asked in plain text
    if (tls !== 'opportunistic' || (error as SmtpError).code !== 'ETLS')
      return { verdict: failed(error as SmtpError) }
  }
  try {
    return { client: await SmtpClient.open({ ...settings, tls: 'none' }, options.auth) }
  } catch (error) {
    return { verdict: failed(error as SmtpError) }
  }
}

/** This machine's own trouble (the source address is gone, no descriptors left), which no message has to answer for. */
function isLocalFault(error: unknown): boolean {
  const { code, originalCode } = error as { code?: string; originalCode?: string }
  return ['EADDRNOTAVAIL', 'EMFILE', 'ENFILE'].includes(originalCode ?? code ?? '')
}
