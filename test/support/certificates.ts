/** Certificates of authorities that only a test trusts: the few lines of DER (RFC 5280) that they take. */
import {
  createHash,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'

export type IssuedCertificate = {
  key: string
  /** PEM: the certificate, and what is presented with it. */
  cert: string
  x509: X509Certificate
}

type Authority = { name: Buffer; key: KeyObject }

const dayMs = 24 * 3_600_000
const oids = {
  commonName: '550403',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  ecdsaWithSha256: '2a8648ce3d040302',
}

export class FakeAuthority {
  readonly x509: X509Certificate
  /** PEM. */
  readonly cert: string
  readonly #authority: Authority

  constructor(name = 'Fake Authority') {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#authority = { name: distinguishedName(name), key: privateKey }
    this.cert = make(this.#authority, { subject: this.#authority.name, publicKey, ca: true })
    this.x509 = new X509Certificate(this.cert)
  }

  /** A certificate for a host, valid from yesterday to tomorrow unless it has `expired`; presented with the authority's own. */
  issue(host: string, options: { expired?: boolean } = {}): IssuedCertificate {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const subject = distinguishedName(host)
    const cert = make(this.#authority, { subject, publicKey, host, expired: options.expired === true })
    return {
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      cert: cert + this.cert,
      x509: new X509Certificate(cert),
    }
  }
}

/** The data of a TLSA record in hex (RFC 6698 §2.1). */
export function tlsaData(certificate: X509Certificate, selector: number, matchingType: number): string {
  const selected =
    selector === 0 ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' })
  const digest = ['', 'sha256', 'sha512'][matchingType]
  return digest ? createHash(digest).update(selected).digest('hex') : selected.toString('hex')
}

function make(
  issuer: Authority,
  of: { subject: Buffer; publicKey: KeyObject; host?: string; ca?: boolean; expired?: boolean },
): string {
  const algorithm = sequence(oid(oids.ecdsaWithSha256))
  const now = Date.now()
  const extensions = [
    ...(of.host ? [extension(oids.subjectAltName, sequence(der(0x82, Buffer.from(of.host))))] : []),
    ...(of.ca ? [extension(oids.basicConstraints, sequence(der(1, Buffer.of(0xff))))] : []),
  ]
  const certificate = sequence(
    der(0xa0, der(2, Buffer.of(2))),
    der(2, Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
    algorithm,
    issuer.name,
    sequence(time(now - 2 * dayMs), time(now + (of.expired ? -dayMs : dayMs))),
    of.subject,
    of.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  )
  const signature = der(3, Buffer.of(0), sign('sha256', certificate, issuer.key))
  const lines = sequence(certificate, algorithm, signature)
    .toString('base64')
    .match(/.{1,64}/g)!
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid(oids.commonName), der(12, Buffer.from(name)))))
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(4, value))
}

function oid(hex: string): Buffer {
  return der(6, Buffer.from(hex, 'hex'))
}

function time(at: number): Buffer {
  return der(23, Buffer.from(`${new Date(at).toISOString().replace(/\D/g, '').slice(2, 14)}Z`))
}

function sequence(...contents: Buffer[]): Buffer {
  return der(0x30, ...contents)
}

/** Tag, length, content. */
function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), content])
}
