/** From a route to a session: address by address, TLS as the policy wants it, and what it means when none takes us. */
import type { HeldIp } from '@postel/db/queries/outbound'
import type { CompiledReplyRule } from '@postel/mail/reply-classifier'
import { bounced, deferred, failed, type Verdict } from './classify.ts'
import type { Route, Target } from './route.ts'
import { SmtpClient } from './smtp-client.ts'
import type { SmtpError } from './smtp-connection.ts'
import type { TlsContexts } from './tls-contexts.ts'
import {
  demandsTls,
  judge,
  type PolicyType,
  type TlsFault,
  type TlsFloor,
  type TlsPolicy,
  type TlsResult,
} from './tls-policy.ts'

/** One session, for the TLS report (RFC 8460). */
export type TlsSessionResult = {
  policyDomain: string
  policyType: PolicyType
  mxHost: string
  ipId: number
  result: TlsResult
}

export type ConnectOptions = {
  ip: HeldIp
  ehloName: string
  commandSeconds: number
  finalDotSeconds: number
  implicitTls: boolean
  /** What the sender's side asks for; the recipient domain's policy comes with the route. */
  floor: TlsFloor
  auth?: { user: string; pass: string } | undefined
  contexts: TlsContexts
  /** An operator's readings of replies. */
  replyRules?: readonly CompiledReplyRule[]
  /** Told of each session's TLS, successful or not. */
  onTlsResult?: ((result: TlsSessionResult) => void) | undefined
  /** Gives up connecting. */
  signal: AbortSignal
}

/** For the last address; while there are others a silent one is given up sooner. */
const connectSeconds = 30
const connectSecondsWithOthers = 15
/** After this no further address is tried: the rest is for the next attempt. */
const budgetMs = 120_000

/** A session with the first address that takes one, or why none does. Never rejects. */
export async function connectTo(
  route: Route,
  options: ConnectOptions,
): Promise<{ client: SmtpClient } | { verdict: Verdict; target: Target | undefined } | { local: true }> {
  if ('verdict' in route) return route.local ? { local: true } : { verdict: route.verdict, target: undefined }
  const { targets, policy, unreachable } = route
  let all = !route.partial
  const deadline = performance.now() + budgetMs
  let verdict: Verdict | undefined
  let target: Target | undefined
  for (const [index, candidate] of targets.entries()) {
    if (options.signal.aborted || performance.now() > deadline) {
      all = false
      break
    }
    target = candidate
    const isLast = index === targets.length - 1
    const result = await open(target, policy, options, isLast ? connectSeconds : connectSecondsWithOthers)
    if ('client' in result) unreachable?.remove(target, options.ip.address)
    if (!('verdict' in result)) return result
    if (result.silent && !options.signal.aborted) unreachable?.add(target, options.ip.address)
    // 5yz from one host says nothing about the others; only when all say so is it final
    if (!verdict || verdict.outcome === 'bounced') verdict = result.verdict
  }
  verdict ??= deferred('4.4.1', 'connection', 'No address to connect to')
  return { verdict: all ? verdict : { ...verdict, outcome: 'deferred' }, target }
}

type Opened =
  | { client: SmtpClient }
  | { local: true }
  /** `silent`: nobody was there. */
  | { verdict: Verdict; silent: boolean }

async function open(
  target: Target,
  policy: TlsPolicy,
  options: ConnectOptions,
  seconds: number,
): Promise<Opened> {
  const { floor, ip } = options
  const remote = { host: target.host, ...(options.replyRules && { rules: options.replyRules }) }
  const tls = options.implicitTls ? 'implicit' : 'starttls'
  const demanded = demandsTls(target.host, policy, floor)
  const count = (policyType: PolicyType, result: TlsResult) => {
    if (policy.domain === null) return
    options.onTlsResult?.({
      policyDomain: policy.domain,
      policyType,
      mxHost: target.host,
      ipId: ip.ipId,
      result,
    })
  }
  const attempt = async (kind: 'implicit' | 'starttls' | 'none', plainBecause?: string) => {
    let fault: TlsFault | undefined
    try {
      const client = await SmtpClient.open(
        {
          address: target.address,
          host: target.host,
          sniName: policy.dane.get(target.host)?.base ?? target.host,
          port: target.port,
          localAddress: ip.address,
          ehloName: options.ehloName,
          tls: kind,
          strict: demanded,
          secureContext: demanded ? options.contexts.strict : options.contexts.opportunistic,
          plainBecause,
          connectSeconds: seconds,
          commandSeconds: options.commandSeconds,
          finalDotSeconds: options.finalDotSeconds,
          terms: { policy, floor },
          admit: (session) => {
            const judgement = judge(session, policy, floor)
            // A handshake that broke has been counted, and this is the same try in plain text
            if (kind !== 'none') count(judgement.policyType, judgement.result)
            fault = judgement.fault
            return fault === undefined
          },
          signal: options.signal,
        },
        options.auth,
      )
      return { client }
    } catch (error) {
      return { error: error as SmtpError, fault }
    }
  }

  const first = await attempt(tls)
  if (first.client) return { client: first.client }
  if (isLocalFault(first.error)) return { local: true }
  if (first.fault) return { verdict: tlsVerdict(first.fault), silent: false }
  if (first.error.code !== 'ETLS')
    return { verdict: failed(first.error, remote), silent: isSilence(first.error) }
  const type = policy.dane.has(target.host)
    ? 'tlsa'
    : policy.sts || policy.stsFault
      ? 'sts'
      : 'no-policy-found'
  count(type, 'validation-failure')
  const why = handshakeFailure(first.error)
  const text = `TLS with ${target.host} failed: ${why}`
  if (demanded || options.implicitTls)
    return { verdict: tlsVerdict({ enhanced: '4.7.5', text }), silent: false }
  // Nothing has been said about the message yet, so a remote whose TLS is broken may be asked in plain text
  const second = await attempt('none', `handshake failed: ${why}`)
  if (second.client) return { client: second.client }
  if (isLocalFault(second.error)) return { local: true }
  if (second.fault) return { verdict: tlsVerdict(second.fault), silent: false }
  return { verdict: failed(second.error, remote), silent: isSilence(second.error) }
}

/** What a session lacks may be an attack or a mistake: only REQUIRETLS, which the remote cannot have, bounces. */
function tlsVerdict({ enhanced, text }: TlsFault): Verdict {
  return enhanced === '5.7.30' ? bounced(enhanced, 'tls', text) : deferred(enhanced, 'tls', text)
}

/**
 * OpenSSL's reason without the numbers around it, which differ each time. Whether an end is seen as a close or a reset, in
 * reading or in writing, is chance.
 */
function handshakeFailure(error: SmtpError & { reason?: string; originalCode?: string }): string {
  const { message, reason, originalCode = '' } = error
  const closed = /^(?:Client network socket disconnected|Connection closed)/.test(message)
  if (closed || /^(?:ECONNRESET|EPIPE)$/.test(originalCode)) return 'connection closed'
  return (reason ?? message).slice(0, 120)
}

/** Nobody was there, or nobody spoke. Who closes at once has at least cost no time. */
function isSilence({ code, originalCode }: SmtpError & { originalCode?: string }): boolean {
  return (
    code === 'ETIMEDOUT' || /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(originalCode ?? '')
  )
}

/** This machine's own trouble (the source address is gone, no descriptors left), which no message has to answer for. */
function isLocalFault(error: unknown): boolean {
  const { code, originalCode } = error as { code?: string; originalCode?: string }
  return ['EADDRNOTAVAIL', 'EMFILE', 'ENFILE'].includes(originalCode ?? code ?? '')
}
