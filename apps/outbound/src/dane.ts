/** DANE for SMTP (RFC 7672): which TLSA records count, and whether a certificate chain matches one. */
import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'

export type TlsaRecord = { usage: number; selector: number; matchingType: number; certificate: Buffer }

/** What DNSSEC says of a host's certificate. */
export type Tlsa = {
  /** The usable ones. None: TLS is needed, but nothing can be checked (RFC 7672 §2.2). */
  records: readonly TlsaRecord[]
  /** The name that the records were found for: asked for by SNI. */
  base: string
  /** Names that a certificate of a trust anchor (usage 2) may be for (RFC 7672 §3.2.3). */
  names: readonly string[]
}

const daneTa = 2
const daneEe = 3
const digests: Record<number, { name: string; size: number }> = {
  1: { name: 'sha256', size: 32 },
  2: { name: 'sha512', size: 64 },
}
const chainMax = 10

/** DANE-TA and DANE-EE with a known selector and digest; the PKIX usages do not count for SMTP (RFC 7672 §3.1.3). */
export function isUsable({ usage, selector, matchingType, certificate }: TlsaRecord): boolean {
  if (usage !== daneTa && usage !== daneEe) return false
  if (selector !== 0 && selector !== 1) return false
  if (matchingType === 0) return certificate.length > 0
  return digests[matchingType]?.size === certificate.length
}

/** Whether the chain that a server presented is the one that DNSSEC names; true when nothing can be checked. */
export function matchesTlsa(leaf: X509Certificate, { records, names }: Tlsa, now = Date.now()): boolean {
  if (records.length === 0) return true
  // Neither the name nor the dates of a DANE-EE certificate count (RFC 7672 §3.1.1)
  if (records.some((record) => record.usage === daneEe && matches(leaf, record))) return true
  const anchors = records.filter((record) => record.usage === daneTa)
  if (anchors.length === 0 || !names.some((name) => isFor(leaf, name))) return false
  let certificate = leaf
  for (let depth = 0; depth < chainMax; depth++) {
    if (!isInDate(certificate, now)) return false
    if (anchors.some((anchor) => matches(certificate, anchor) && (depth > 0 || certificate.ca))) return true
    if (anchors.some((anchor) => isIssuedByRecord(certificate, anchor))) return true
    const issuer = certificate.issuerCertificate
    // Node names a self-signed certificate as its own issuer
    if (!issuer || issuer.fingerprint256 === certificate.fingerprint256) return false
    if (!issuer.ca || !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false
    certificate = issuer
  }
  return false
}

function matches(
  certificate: X509Certificate,
  { selector, matchingType, certificate: data }: TlsaRecord,
): boolean {
  const selected =
    selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' })
  const digest = digests[matchingType]
  const presented = digest ? createHash(digest.name).update(selected).digest() : selected
  return presented.length === data.length && timingSafeEqual(presented, data)
}

/** The trust anchor itself is in the DNS and need not be presented. */
function isIssuedByRecord(
  certificate: X509Certificate,
  { selector, matchingType, certificate: data }: TlsaRecord,
): boolean {
  if (matchingType !== 0 || selector !== 0) return false
  try {
    const anchor = new X509Certificate(data)
    return certificate.checkIssued(anchor) && certificate.verify(anchor.publicKey)
  } catch {
    return false
  }
}

function isFor(certificate: X509Certificate, name: string): boolean {
  return checkServerIdentity(name, certificate.toLegacyObject() as PeerCertificate) === undefined
}

function isInDate(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo)
}
