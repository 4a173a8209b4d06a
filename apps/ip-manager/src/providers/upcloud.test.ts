/** The provider for UpCloud against a server that answers as the API's documents say, faults included. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Trouble } from '../testing/cloud-server.ts'
import { FakeUpCloud } from '../testing/fake-upcloud.ts'
import { UpCloud } from './upcloud.ts'

let cloud: FakeUpCloud
let provider: UpCloud
const { signal } = new AbortController()
const [a, b] = ['0053cd80-5945-4105-9081-11192806a8f7', '006b6701-55d2-4374-ac40-56cc1501037f']

beforeEach(async () => {
  cloud = await new FakeUpCloud().start()
  cloud.servers = [
    {
      uuid: a,
      hostname: 'node-a',
      interfaces: [
        { index: 2, mac: 'de:ff:ff:ff:00:a2', type: 'utility', families: ['IPv4'] },
        { index: 1, mac: 'de:ff:ff:ff:00:a1', type: 'public', families: ['IPv4'] },
        { index: 3, mac: 'de:ff:ff:ff:00:a3', type: 'public', families: ['IPv6'] },
      ],
    },
    {
      uuid: b,
      hostname: 'node-b',
      state: 'stopped',
      interfaces: [{ index: 1, mac: 'de:ff:ff:ff:00:b1', type: 'public', families: ['IPv4'] }],
    },
  ]
  cloud.addresses = [
    { address: '198.51.100.1', mac: 'de:ff:ff:ff:00:a1' },
    { address: '10.0.0.1', access: 'utility', mac: 'de:ff:ff:ff:00:a2' },
    { address: '192.0.2.1', floating: true, mac: 'de:ff:ff:ff:00:a1' },
    { address: '192.0.2.2', floating: true },
    { address: '192.0.2.3', floating: true, delegated: true },
    { address: '2001:db8::0:25', floating: true },
  ]
  provider = new UpCloud({ credentials: { token: cloud.token }, url: cloud.url, timeoutMs: 5_000, pollMs: 5 })
})
afterEach(() => cloud.stop())

const macOf = (address: string) => cloud.addresses.find((ip) => ip.address === address)!.mac

test('floating addresses and servers are listed as the manager compares them', async () => {
  expect(await provider.listAddresses(signal)).toEqual([
    { address: '192.0.2.1', providerId: '192.0.2.1', serverId: a },
    { address: '192.0.2.2', providerId: '192.0.2.2', serverId: null },
    {
      address: '192.0.2.3',
      providerId: '192.0.2.3',
      serverId: null,
      blocked: 'It is delegated to a service of UpCloud and cannot be moved.',
    },
    { address: '2001:db8::25', providerId: '2001:db8::0:25', serverId: null },
  ])
  expect(await provider.listServers(signal)).toEqual([
    { id: a, name: 'node-a', addresses: ['198.51.100.1', '10.0.0.1'], running: true },
    { id: b, name: 'node-b', addresses: [], running: false },
  ])
})

test('user and password do as well as a token', async () => {
  const { username, password, url } = cloud
  const other = new UpCloud({ credentials: { username, password }, url })
  expect(await other.listServers(signal)).toHaveLength(2)
})

describe('attach', () => {
  test('moves an address to the public interface of its family', async () => {
    await provider.attach('192.0.2.1', b, signal)
    expect(macOf('192.0.2.1')).toBe('de:ff:ff:ff:00:b1')
    await provider.attach('192.0.2.2', a, signal)
    expect(macOf('192.0.2.2')).toBe('de:ff:ff:ff:00:a1')
  })

  test('changes nothing where it is there already', async () => {
    cloud.addresses[2]!.mac = 'DE:FF:FF:FF:00:A1'
    cloud.servers[0]!.interfaces[1]!.mac = 'de:ff:ff:ff:00:a1'
    await provider.attach('192.0.2.1', a, signal)
    expect(cloud.asked.filter((each) => each.startsWith('PATCH'))).toEqual([])
  })

  test('waits until the address is shown there', async () => {
    cloud.late = 3
    await provider.attach('192.0.2.1', b, signal)
    expect(macOf('192.0.2.1')).toBe('de:ff:ff:ff:00:b1')
  })

  test.each<[string, Trouble['does']]>([
    ['the answer is lost', 'reset after'],
    ['no answer comes', 'silence'],
    ['the answer is garbage', 'garbage'],
  ])('is unfinished when it was asked for and %s; the next call finishes it', async (_name, does) => {
    cloud.troubles = [{ when: /PATCH/, does }]
    await expect(provider.attach('192.0.2.1', b, signal)).rejects.toMatchObject({ kind: 'unfinished' })
    await provider.attach('192.0.2.1', b, signal)
    expect(macOf('192.0.2.1')).toBe('de:ff:ff:ff:00:b1')
    expect(cloud.asked.filter((each) => each.startsWith('PATCH'))).toHaveLength(1)
  })

  test('is unfinished when it was taken and cannot be followed', async () => {
    cloud.late = 9
    cloud.troubles = [
      {
        when: /PATCH/,
        does: { status: 202, body: { ip_address: { address: '192.0.2.1', floating: 'yes' } } },
      },
    ]
    const attached = provider.attach('192.0.2.1', b, signal)
    while (!cloud.asked.some((each) => each.startsWith('PATCH')))
      await new Promise((resolve) => setTimeout(resolve, 5))
    cloud.troubles = [{ when: /GET \/ip_address/, does: { status: 503, headers: { 'retry-after': '3' } } }]
    await expect(attached).rejects.toMatchObject({
      kind: 'unfinished',
      retryAfterMs: 3_000,
      changedNothing: false,
    })
  })

  test.each([
    ['the interfaces cannot be read', /GET \/server/, true],
    ['the address cannot be read', /GET \/ip_address/, true],
    ['the change is answered with 503', /PATCH/, false],
  ])('says whether something was asked to change when %s', async (_name, when, changedNothing) => {
    cloud.troubles = [{ when, does: { status: 503 } }]
    await expect(provider.attach('192.0.2.1', b, signal)).rejects.toMatchObject({ changedNothing })
  })

  test.each([
    ['an address that is not there', '203.0.113.9', a, 'not_found', 'IP_ADDRESS_NOT_FOUND'],
    ['a server that is not there', '192.0.2.1', 'no-such', 'not_found', 'SERVER_NOT_FOUND'],
    ['a fixed address', '198.51.100.1', b, 'refused', 'no floating IP'],
    ['an address that a service has', '192.0.2.3', b, 'refused', 'no floating IP'],
    ['a server without that family', '2001:db8::0:25', b, 'refused', 'no public IPv6 interface'],
  ])('%s is told apart', async (_name, address, server, kind, message) => {
    await expect(provider.attach(address, server, signal)).rejects.toMatchObject({
      kind,
      message: expect.stringContaining(message),
    })
  })
})

test.each<[string, Trouble['does'], object]>([
  [
    '429 with Retry-After',
    { status: 429, headers: { 'retry-after': '5' } },
    { kind: 'retry', retryAfterMs: 5_000 },
  ],
  ['503', { status: 503 }, { kind: 'retry', status: 503 }],
  [
    'another zone, in the form of newer parts of the API',
    {
      status: 400,
      headers: { 'content-type': 'application/problem+json' },
      body: {
        type: 'https://developers.upcloud.com/1.3/errors#ERROR_ZONE_MISMATCH',
        title: 'Other zone.',
        status: 400,
      },
    },
    { kind: 'refused', message: expect.stringContaining('400 ERROR_ZONE_MISMATCH: Other zone.') },
  ],
  [
    '409',
    { status: 409, body: { error: { error_code: 'SERVER_STATE_ILLEGAL', error_message: 'Wait.' } } },
    { kind: 'retry', message: expect.stringContaining('SERVER_STATE_ILLEGAL: Wait.') },
  ],
])('%s', async (_name, does, error) => {
  cloud.troubles = [{ when: /PATCH/, does }]
  await expect(provider.attach('192.0.2.1', b, signal)).rejects.toMatchObject(error)
})

test('a password that is wrong says what to do, and is not told itself', async () => {
  const wrong = new UpCloud({ credentials: { username: 'postel', password: 'wr0ng' }, url: cloud.url })
  const error = (await wrong.listAddresses(signal).catch((caught) => caught)) as Error
  expect(error).toMatchObject({ kind: 'refused', status: 401 })
  expect(error.message).toMatch(/UPCLOUD_TOKEN .* allowed API connections/)
  expect(JSON.stringify([error, error.message, error.stack, error.cause])).not.toMatch(/wr0ng|cG9zdGVs/)
})
