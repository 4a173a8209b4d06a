/**
 * A self-signed certificate (RFC 5280) for a start without one, in the few lines of DER that it takes: the libraries that
 * make one compute in JavaScript what OpenSSL does in a millisecond, and block the process for that time.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'

const oids = {
  commonName: Buffer.from('550403', 'hex'),
  subjectAltName: Buffer.from('551d11', 'hex'),
  ecdsaWithSha256: Buffer.from('2a8648ce3d040302', 'hex'),
}
const tags = {
  integer: 2,
  bitString: 3,
  octetString: 4,
  oid: 6,
  utf8: 12,
  utcTime: 23,
  sequence: 0x30,
  set: 0x31,
}
const dayMs = 24 * 3600 * 1000

/** PEM of a P-256 key and its certificate for a host name, valid from yesterday (clocks differ) for a year. */
export function selfSignedCertificate(hostname: string): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = der(
    tags.sequence,
    der(
      tags.set,
      der(tags.sequence, der(tags.oid, oids.commonName), der(tags.utf8, Buffer.from(hostname.slice(0, 64)))),
    ),
  )
  const algorithm = der(tags.sequence, der(tags.oid, oids.ecdsaWithSha256))
  const alternativeNames = der(tags.sequence, der(0x82, Buffer.from(hostname)))
  const now = Date.now()
  const certificate = der(
    tags.sequence,
    der(0xa0, der(tags.integer, Buffer.of(2))),
    // Positive: the first bit is clear
    der(tags.integer, Buffer.concat([Buffer.of(0x40), randomBytes(15)])),
    algorithm,
    name,
    der(tags.sequence, utcTime(new Date(now - dayMs)), utcTime(new Date(now + 365 * dayMs))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(
      0xa3,
      der(
        tags.sequence,
        der(tags.sequence, der(tags.oid, oids.subjectAltName), der(tags.octetString, alternativeNames)),
      ),
    ),
  )
  const signature = der(tags.bitString, Buffer.of(0), sign('sha256', certificate, privateKey))
  const lines = der(tags.sequence, certificate, algorithm, signature)
    .toString('base64')
    .match(/.{1,64}/g)!
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  }
}

/** Tag, length, content. */
function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents)
  const size = content.length
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff]
  return Buffer.concat([Buffer.of(tag, ...length), content])
}

/** YYMMDDhhmmssZ: right until 2049. */
function utcTime(at: Date): Buffer {
  return der(tags.utcTime, Buffer.from(`${at.toISOString().replace(/\D/g, '').slice(2, 14)}Z`))
}
