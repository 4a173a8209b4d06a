/**
 * What a session must show before it may carry mail: the recipient domain's own policy (DANE before MTA-STS, RFC 8461
 * §2) and the floor that the sender's side asks for. Opening and reusing a session ask the same judge.
 */
import type { X509Certificate } from 'node:crypto'
import { matchesTlsa, type Tlsa } from './dane.ts'
import { coversHost, type StsPolicy } from './mta-sts-policy.ts'
import type { SmtpClient } from './smtp-client.ts'

/**
 * What project, sender domain, destination rule or message ask for.
 * - `opportunistic`: TLS where it works
 * - `enforced`: TLS 1.2 or later with a certificate that is good for the mail exchanger
 * - `requiretls`: that, the exchanger's name vouched for by DNSSEC or MTA-STS, and the remote does the same (RFC 8689)
 */
export type TlsFloor = 'opportunistic' | 'enforced' | 'requiretls'

/** What is known of one recipient domain's wishes. */
export type TlsPolicy = {
  /** Null for a host that an operator named: nobody is reported to. */
  domain: string | null
  /** The names of the exchangers come from DNSSEC, or from an operator. */
  namesAuthenticated: boolean
  /** In force: mode enforce or testing. */
  sts: StsPolicy | undefined
  /** There is an MTA-STS record, and its policy could not be had. */
  stsFault: TlsResult | undefined
  /** Nobody can tell yet whether there is an MTA-STS policy: of a failure like this the domain is not told. */
  stsUnknown: boolean
  /** By exchanger, for those that have TLSA records. */
  dane: ReadonlyMap<string, Tlsa>
}

/** RFC 8460 §4.3. */
export type TlsResult =
  | 'success'
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'validation-failure'
  | 'tlsa-invalid'
  | 'dnssec-invalid'
  | 'sts-policy-fetch-error'
  | 'sts-policy-invalid'
  | 'sts-webpki-invalid'

export type PolicyType = 'tlsa' | 'sts' | 'no-policy-found'

/** How a session is encrypted. */
export type TlsFacts = {
  protocol: string
  cipher: string
  certificate: X509Certificate | undefined
  /** Why the certificate is not good for the host by the trusted authorities (OpenSSL's or Node's code). */
  pkixFault: string | undefined
}

/** What is judged: a session that has greeted. */
export type TlsSession = {
  host: string
  /** Undefined in plain text. */
  facts: TlsFacts | undefined
  /** Why it is in plain text, e.g. `not offered`. */
  plainBecause: string
  requireTlsOffered: boolean
}

/** Why a session may not carry the mail. */
export type TlsFault = { enhanced: '4.7.4' | '4.7.5' | '5.7.30'; text: string }

export type Judgement = {
  fault: TlsFault | undefined
  /** For the TLS report. */
  policyType: PolicyType
  result: TlsResult
}

/** Nothing is known, nothing is demanded. */
export function noPolicy(domain: string | null, namesAuthenticated = false): TlsPolicy {
  return {
    domain,
    namesAuthenticated,
    sts: undefined,
    stsFault: undefined,
    stsUnknown: false,
    dane: new Map(),
  }
}

/** Whether anything less than TLS 1.2 is out of the question, so that plain text need not be tried. */
export function demandsTls(host: string, policy: TlsPolicy, floor: TlsFloor): boolean {
  return floor !== 'opportunistic' || policy.dane.has(host) || policy.sts?.mode === 'enforce'
}

/**
 * Whether a session that is open may carry mail under this policy and floor. One that was opened for mail which any TLS is
 * good enough for may rest on a short key or a weak signature, which would not have let a demanding one come about.
 */
export function mayCarry(
  client: Pick<SmtpClient, 'session' | 'strict'>,
  policy: TlsPolicy,
  floor: TlsFloor,
): boolean {
  if (demandsTls(client.session.host, policy, floor) && !client.strict) return false
  return judge(client.session, policy, floor).fault === undefined
}

export function judge(session: TlsSession, policy: TlsPolicy, floor: TlsFloor): Judgement {
  const tlsa = policy.dane.get(session.host)
  const sts = tlsa ? undefined : policy.sts
  const found = tlsa ? findDane(session, tlsa) : sts ? findSts(session, sts) : undefined
  const binding = tlsa !== undefined || sts?.mode === 'enforce'
  return {
    fault: (binding ? found?.fault : undefined) ?? floorFault(session, policy, floor),
    policyType: tlsa ? 'tlsa' : sts ? 'sts' : policy.stsFault ? 'sts' : 'no-policy-found',
    result: found?.result ?? policy.stsFault ?? (session.facts ? 'success' : 'starttls-not-supported'),
  }
}

/**
 * What the attempt says: `TLSv1.3 TLS_AES_256_GCM_SHA384; verified; mta-sts`, or `plain text; opportunistic (not
 * offered)`. Three parts: protocol and cipher (or `plain text`); `verified` or `unverified (CODE)`; what asked for it:
 * `dane`, `mta-sts`, `mta-sts testing`, `requiretls`, `enforced` or `opportunistic`.
 */
export function tlsText(
  { host, facts, plainBecause }: TlsSession,
  policy: TlsPolicy,
  floor: TlsFloor,
): string {
  const tlsa = policy.dane.get(host)
  const asked = tlsa
    ? 'dane'
    : policy.sts
      ? policy.sts.mode === 'enforce'
        ? 'mta-sts'
        : 'mta-sts testing'
      : floor
  if (!facts) return `plain text; ${asked} (${plainBecause})`
  const matched = tlsa !== undefined && tlsa.records.length > 0 && isDaneMatch(facts, tlsa)
  const verified = matched || facts.pkixFault === undefined ? 'verified' : `unverified (${facts.pkixFault})`
  return `${facts.protocol} ${facts.cipher}; ${verified}; ${asked}`
}

type Finding = { result: TlsResult; fault: TlsFault }

function findDane({ host, facts, plainBecause }: TlsSession, tlsa: Tlsa): Finding | undefined {
  if (!facts) return noTls(`${host} has TLSA records, so TLS is required: ${plainBecause}`)
  if (isDaneMatch(facts, tlsa)) return undefined
  return {
    result: 'validation-failure',
    fault: {
      enhanced: '4.7.5',
      text: `The certificate of ${host} is not the one that its TLSA records name`,
    },
  }
}

function findSts({ host, facts, plainBecause }: TlsSession, sts: StsPolicy): Finding | undefined {
  if (!coversHost(sts, host))
    return {
      result: 'validation-failure',
      fault: { enhanced: '4.7.5', text: `${host} is not among the hosts of the domain's MTA-STS policy` },
    }
  if (!facts) return noTls(`The domain's MTA-STS policy requires TLS of ${host}: ${plainBecause}`)
  const text = certificateText(host, facts)
  return text === undefined
    ? undefined
    : { result: resultOf(facts.pkixFault), fault: { enhanced: '4.7.5', text: `${text} (MTA-STS)` } }
}

function floorFault(session: TlsSession, policy: TlsPolicy, floor: TlsFloor): TlsFault | undefined {
  if (floor === 'opportunistic') return undefined
  const { host, facts, plainBecause } = session
  if (!facts) return { enhanced: '4.7.4', text: `TLS is required of ${host}: ${plainBecause}` }
  const tlsa = policy.dane.get(host)
  const matched = tlsa !== undefined && tlsa.records.length > 0 && isDaneMatch(facts, tlsa)
  const text = matched ? undefined : certificateText(host, facts)
  if (text !== undefined) return { enhanced: '4.7.5', text }
  if (floor === 'enforced') return undefined
  if (!isVouchedFor(host, policy))
    return {
      // Only a sure "none" may bounce
      enhanced: policy.stsFault || policy.stsUnknown ? '4.7.5' : '5.7.30',
      text: `Neither DNSSEC nor MTA-STS vouches for ${host}, as REQUIRETLS asks`,
    }
  if (!session.requireTlsOffered)
    return { enhanced: '5.7.30', text: `${host} does not offer REQUIRETLS, which the sender asked for` }
  return undefined
}

/** RFC 8689 §4.2.1: the name of the exchanger must not be an attacker's. */
function isVouchedFor(host: string, policy: TlsPolicy): boolean {
  return policy.namesAuthenticated || (policy.sts !== undefined && coversHost(policy.sts, host))
}

function isDaneMatch(facts: TlsFacts, tlsa: Tlsa): boolean {
  return isModern(facts) && facts.certificate !== undefined && matchesTlsa(facts.certificate, tlsa)
}

function certificateText(host: string, facts: TlsFacts): string | undefined {
  if (!isModern(facts)) return `${host} speaks ${facts.protocol}, and TLS 1.2 is required`
  if (facts.pkixFault === undefined) return undefined
  return `The certificate of ${host} is not good for it: ${facts.pkixFault}`
}

function isModern({ protocol }: TlsFacts): boolean {
  return protocol === 'TLSv1.2' || protocol === 'TLSv1.3'
}

function noTls(text: string): Finding {
  return { result: 'starttls-not-supported', fault: { enhanced: '4.7.4', text } }
}

function resultOf(pkixFault: string | undefined): TlsResult {
  switch (pkixFault) {
    case undefined:
      return 'validation-failure'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'certificate-host-mismatch'
    case 'CERT_HAS_EXPIRED':
      return 'certificate-expired'
    default:
      return 'certificate-not-trusted'
  }
}
