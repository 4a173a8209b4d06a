import { expect, test } from '@jest/globals'
import {
  judge,
  mayCarry,
  noPolicy,
  type TlsFacts,
  type TlsFloor,
  type TlsPolicy,
  type TlsSession,
  tlsText,
} from './tls-policy.ts'

const host = 'mx.dest.test'
const good: TlsFacts = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  certificate: undefined,
  pkixFault: undefined,
}
const selfSigned = { ...good, pkixFault: 'DEPTH_ZERO_SELF_SIGNED_CERT' }
const old = { ...good, protocol: 'TLSv1.1' }

function session(facts: TlsFacts | undefined, more: Partial<TlsSession> = {}): TlsSession {
  return { host, facts, plainBecause: 'not offered', requireTlsOffered: false, ...more }
}

const none = noPolicy('dest.test')
const sts = (mode: 'enforce' | 'testing', mx = host): TlsPolicy => ({
  ...none,
  sts: { id: '1', mode, mx: [mx], maxAgeSeconds: 60 },
})
/** TLSA records of which none is usable: TLS is needed, nothing is checked. */
const unusable: TlsPolicy = { ...none, dane: new Map([[host, { records: [], base: host, names: [host] }]]) }
const daneAndSts: TlsPolicy = { ...sts('enforce', 'other.test'), dane: unusable.dane }
const signed: TlsPolicy = { ...none, namesAuthenticated: true }
const offers = { requireTlsOffered: true }

test.each<[string, TlsSession, TlsPolicy, TlsFloor, string | undefined]>([
  ['plain text, nothing asked', session(undefined), none, 'opportunistic', undefined],
  ['a bad certificate, nothing asked', session(selfSigned), none, 'opportunistic', undefined],
  ['plain text, MTA-STS', session(undefined), sts('enforce'), 'opportunistic', '4.7.4'],
  ['a bad certificate, MTA-STS', session(selfSigned), sts('enforce'), 'opportunistic', '4.7.5'],
  ['old TLS, MTA-STS', session(old), sts('enforce'), 'opportunistic', '4.7.5'],
  [
    'a host that MTA-STS does not name',
    session(good),
    sts('enforce', 'other.test'),
    'opportunistic',
    '4.7.5',
  ],
  ['a good certificate, MTA-STS', session(good), sts('enforce'), 'opportunistic', undefined],
  ['plain text, MTA-STS testing', session(undefined), sts('testing'), 'opportunistic', undefined],
  ['a bad certificate, MTA-STS testing, enforced', session(selfSigned), sts('testing'), 'enforced', '4.7.5'],
  ['plain text, TLSA records', session(undefined), unusable, 'opportunistic', '4.7.4'],
  ['DANE comes before MTA-STS', session(selfSigned, {}), daneAndSts, 'opportunistic', '4.7.5'],
  ['plain text, enforced', session(undefined), none, 'enforced', '4.7.4'],
  ['a bad certificate, enforced', session(selfSigned), none, 'enforced', '4.7.5'],
  ['old TLS, enforced', session(old), none, 'enforced', '4.7.5'],
  ['a good certificate, enforced', session(good), none, 'enforced', undefined],
  ['REQUIRETLS, plain text', session(undefined, offers), signed, 'requiretls', '4.7.4'],
  ['REQUIRETLS, a bad certificate', session(selfSigned, offers), signed, 'requiretls', '4.7.5'],
  ['REQUIRETLS, nobody vouches for the MX', session(good, offers), none, 'requiretls', '5.7.30'],
  [
    'REQUIRETLS, nobody can tell whether MTA-STS vouches for the MX',
    session(good, offers),
    { ...none, stsFault: 'sts-policy-fetch-error' },
    'requiretls',
    '4.7.5',
  ],
  [
    'REQUIRETLS, nobody could be asked for an MTA-STS policy',
    session(good, offers),
    { ...none, stsUnknown: true },
    'requiretls',
    '4.7.5',
  ],
  ['REQUIRETLS, not offered', session(good), signed, 'requiretls', '5.7.30'],
  ['REQUIRETLS, MX signed', session(good, offers), signed, 'requiretls', undefined],
  ['REQUIRETLS, MX in the MTA-STS policy', session(good, offers), sts('testing'), 'requiretls', undefined],
])('%s: may carry mail, or not', (_name, given, policy, floor, enhanced) => {
  expect(judge(given, policy, floor).fault?.enhanced).toBe(enhanced)
})

test.each<[string, TlsPolicy, TlsFloor, boolean]>([
  ['nothing asked', none, 'opportunistic', true],
  ['MTA-STS testing', sts('testing'), 'opportunistic', true],
  ['MTA-STS', sts('enforce'), 'opportunistic', false],
  ['enforced', none, 'enforced', false],
  ['REQUIRETLS', signed, 'requiretls', false],
])(
  '%s: a session whose handshake would have taken any TLS may carry the mail: or not',
  (_name, policy, floor, carried) => {
    const open = session(good, offers)
    expect(mayCarry({ session: open, strict: false }, policy, floor)).toBe(carried)
    expect(mayCarry({ session: open, strict: true }, policy, floor)).toBe(true)
  },
)

test.each<[string, TlsSession, TlsPolicy, string, string]>([
  ['no policy', session(good), none, 'no-policy-found', 'success'],
  ['no policy', session(undefined), none, 'no-policy-found', 'starttls-not-supported'],
  ['MTA-STS', session(good), sts('enforce'), 'sts', 'success'],
  [
    'testing counts what enforce refuses',
    session(undefined),
    sts('testing'),
    'sts',
    'starttls-not-supported',
  ],
  ['self-signed', session(selfSigned), sts('testing'), 'sts', 'certificate-not-trusted'],
  [
    'expired',
    session({ ...good, pkixFault: 'CERT_HAS_EXPIRED' }),
    sts('enforce'),
    'sts',
    'certificate-expired',
  ],
  [
    'for another host',
    session({ ...good, pkixFault: 'ERR_TLS_CERT_ALTNAME_INVALID' }),
    sts('enforce'),
    'sts',
    'certificate-host-mismatch',
  ],
  ['not named', session(good), sts('testing', 'other.test'), 'sts', 'validation-failure'],
  ['TLSA', session(undefined), unusable, 'tlsa', 'starttls-not-supported'],
  [
    'the policy could not be had',
    session(good),
    { ...none, stsFault: 'sts-webpki-invalid' },
    'sts',
    'sts-webpki-invalid',
  ],
])('%s: counted for the TLS report', (_name, given, policy, policyType, result) => {
  expect(judge(given, policy, 'opportunistic')).toMatchObject({ policyType, result })
})

test.each<[TlsSession, TlsPolicy, TlsFloor, string]>([
  [session(good), none, 'opportunistic', 'TLSv1.3 TLS_AES_256_GCM_SHA384; verified; opportunistic'],
  [
    session(selfSigned),
    none,
    'opportunistic',
    'TLSv1.3 TLS_AES_256_GCM_SHA384; unverified (DEPTH_ZERO_SELF_SIGNED_CERT); opportunistic',
  ],
  [session(good), sts('enforce'), 'enforced', 'TLSv1.3 TLS_AES_256_GCM_SHA384; verified; mta-sts'],
  [session(undefined), sts('testing'), 'opportunistic', 'plain text; mta-sts testing (not offered)'],
  [session(good), signed, 'requiretls', 'TLSv1.3 TLS_AES_256_GCM_SHA384; verified; requiretls'],
  [session(undefined), none, 'opportunistic', 'plain text; opportunistic (not offered)'],
])('the attempt says what was used', (given, policy, floor, text) => {
  expect(tlsText(given, policy, floor)).toBe(text)
})
