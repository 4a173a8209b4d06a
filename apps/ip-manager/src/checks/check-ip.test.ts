/** Which names and addresses of a source IP are right, and what is said where they are not. */
import { expect, test } from '@jest/globals'
import { checkIp, type Dns } from './check-ip.ts'

type Zones = { ptr?: Record<string, string[]>; a?: Record<string, string[]>; fails?: string[] }

function dns({ ptr = {}, a = {}, fails = [] }: Zones): Dns {
  const ask = async (records: Record<string, string[]>, name: string) => {
    if (fails.includes(name)) throw Object.assign(new Error('queryA ESERVFAIL'), { code: 'ESERVFAIL' })
    return records[name] ?? []
  }
  return { ptr: (address) => ask(ptr, address), addresses: (name) => ask(a, name) }
}

const ip = '192.0.2.1'
const right: Zones = { ptr: { [ip]: ['out.test'] }, a: { 'out.test': ['198.51.100.9', ip] } }

/** ptr, forward, ehlo, what is said. */
test.each<[string, { address?: string; ehloName?: string | null }, Zones, unknown[]]>([
  ['all right', {}, right, [true, true, true, null]],
  [
    'another spelling',
    { ehloName: 'OUT.test.' },
    { ...right, ptr: { [ip]: ['Out.Test.'] } },
    [true, true, true, null],
  ],
  [
    'IPv6, spelled otherwise',
    { address: '2001:db8::1' },
    { ptr: { '2001:db8::1': ['out.test'] }, a: { 'out.test': ['2001:DB8:0::1'] } },
    [true, true, true, null],
  ],
  [
    'one of several names leads back',
    {},
    { ptr: { [ip]: ['old.test', 'out.test'] }, a: { 'out.test': [ip] }, fails: ['old.test'] },
    [true, true, true, null],
  ],
  [
    'no reverse name, but EHLO leads to it',
    {},
    { a: { 'out.test': [ip] } },
    [
      false,
      false,
      true,
      '192.0.2.1 has no reverse name, and many receivers refuse mail from it: set its PTR record to out.test where the address comes from.',
    ],
  ],
  [
    'nothing at all',
    {},
    {},
    [false, false, false, expect.stringMatching(/no reverse name.*add to out\.test the A record 192/)],
  ],
  [
    'a reverse name that leads elsewhere',
    {},
    { ...right, a: { 'out.test': ['198.51.100.9'] } },
    [
      true,
      false,
      true,
      'The reverse name out.test of 192.0.2.1 does not lead back to it (it leads to 198.51.100.9): add to out.test the A record 192.0.2.1.',
    ],
  ],
  [
    'a reverse name that leads nowhere',
    { address: '2001:db8::1' },
    { ptr: { '2001:db8::1': ['out.test'] } },
    [
      true,
      false,
      true,
      expect.stringContaining('(it leads nowhere): add to out.test the AAAA record 2001:db8::1.'),
    ],
  ],
  [
    'another name in EHLO',
    { ehloName: 'mail.test' },
    right,
    [
      true,
      true,
      false,
      'In EHLO 192.0.2.1 says mail.test, but its reverse name is out.test: make its EHLO name out.test, or its PTR record mail.test.',
    ],
  ],
  [
    'a name in EHLO that is not known',
    { ehloName: null },
    right,
    [true, true, null, expect.stringContaining('not known here: give it an EHLO name')],
  ],
])('%s', async (_name, { address = ip, ehloName = 'out.test' }, zones, expected) => {
  const { ptrOk, forwardOk, ehloOk, problem } = await checkIp({ address, ehloName }, dns(zones))
  expect([ptrOk, forwardOk, ehloOk, problem]).toEqual(expected)
})

test.each([
  ['the reverse name', { ...right, fails: [ip] }],
  ['where it leads', { ...right, fails: ['out.test'] }],
])('where DNS cannot tell %s, nobody says that it is wrong', async (_name, zones) => {
  await expect(checkIp({ address: ip, ehloName: 'out.test' }, dns(zones))).rejects.toMatchObject({
    code: 'ESERVFAIL',
  })
})
