// The certificate is read from its files, and new files are taken up without a restart.

import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import { selfSignedCertificate } from '@postel/inbound/self-signed'
import type { Certificate } from '@postel/inbound/tls'
import { type Postel, startPostel } from '../support/postel.ts'
import { waitFor } from '../support/wait-for.ts'

const directory = makeThrowAwayDirectory('postel-certificate-')
const certFile = join(directory.path, 'tls.crt')
const keyFile = join(directory.path, 'tls.key')
let postel: Postel

function write(certificate: Certificate): string {
  writeFileSync(keyFile, certificate.key)
  writeFileSync(certFile, certificate.cert)
  return new X509Certificate(certificate.cert).fingerprint256
}

async function shown(channel: 'STARTTLS' | 'implicit TLS'): Promise<string> {
  const client = await postel.session(channel)
  const fingerprint = client.peerFingerprint
  client.destroy()
  return fingerprint
}

let first: string

beforeAll(async () => {
  first = write(selfSignedCertificate('first.test'))
  postel = await startPostel({ inbound: { SMTP_TLS_CERT_FILE: certFile, SMTP_TLS_KEY_FILE: keyFile } })
})

afterAll(async () => {
  await postel.stop()
  directory.remove()
})

test('a new certificate is shown within seconds on both ports, and open sessions go on', async () => {
  const open = await postel.session('STARTTLS')
  expect([await shown('STARTTLS'), await shown('implicit TLS')]).toEqual([first, first])
  const second = write(selfSignedCertificate('second.test'))
  await waitFor(async () => (await shown('STARTTLS')) === second)
  expect(await shown('implicit TLS')).toBe(second)
  await open.say('NOOP', 250)
})
