import { test } from '@jest/globals'
import { checkServerIdentity } from 'node:tls'
import { FakeAuthority } from '../support/certificates.ts'
import { FakeMx } from '../support/fake-mx.ts'
import { SmtpClient } from '@postel/outbound/smtp-client'
import { noPolicy } from '@postel/outbound/tls-policy'
import { TlsContexts } from '@postel/outbound/tls-contexts'
test('x', async () => {
const a = new FakeAuthority()
const g = a.issue('mx1.remote.test')
const mx = await FakeMx.start({ starttls: 'works', certificate: g })
const c = await SmtpClient.open({ address: mx.address, host: 'mx1.remote.test', sniName: 'mx1.remote.test', port: mx.port, localAddress: '127.0.0.1', ehloName: 'x.test', tls: 'starttls', secureContext: new TlsContexts(Buffer.from(a.cert)).opportunistic, connectSeconds: 5, commandSeconds: 5, finalDotSeconds: 5, terms: { policy: noPolicy('x'), floor: 'opportunistic' } })
console.log(c.tls, c.session.facts?.certificate?.subjectAltName)
console.log(checkServerIdentity('mx1.remote.test', c.session.facts!.certificate!.toLegacyObject() as any))
})
