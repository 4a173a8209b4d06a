// The self-signed certificate is one that OpenSSL and TLS clients take, for the name asked for.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { expect, test } from '@jest/globals'
import { selfSignedCertificate } from './self-signed.ts'

test.each(['mail.postel.test', `${'x'.repeat(63)}.${'y'.repeat(63)}.${'z'.repeat(63)}.test`])(
  'for %s',
  (hostname) => {
    const { key, cert } = selfSignedCertificate(hostname)
    const certificate = new X509Certificate(cert)
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true)
    expect(certificate.verify(certificate.publicKey)).toBe(true)
    expect(certificate.checkHost(hostname)).toBe(hostname)
    expect(certificate.checkHost('other.test')).toBeUndefined()
    expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now())
    const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(365)
  },
)

test('two are different', () => {
  const [one, two] = [selfSignedCertificate('a.test'), selfSignedCertificate('a.test')]
  expect(new X509Certificate(one.cert).serialNumber).not.toBe(new X509Certificate(two.cert).serialNumber)
})

test('a client that trusts it accepts it', async () => {
  const { key, cert } = selfSignedCertificate('mail.postel.test')
  const server = createServer({ key, cert }, (socket) => socket.end('hello'))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    servername: 'mail.postel.test',
    ca: cert,
  })
  const [data] = await once(client, 'data')
  expect([String(data), client.authorized]).toEqual(['hello', true])
  client.destroy()
  server.close()
})
