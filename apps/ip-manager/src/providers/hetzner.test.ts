/** The provider for Hetzner Cloud against a server that answers as the API's documents say, faults included. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Trouble } from '../testing/cloud-server.ts'
import { FakeHetzner } from '../testing/fake-hetzner.ts'
import { Hetzner } from './hetzner.ts'

let cloud: FakeHetzner
let provider: Hetzner
const { signal } = new AbortController()

beforeEach(async () => {
  cloud = await new FakeHetzner().start()
  cloud.servers = [
    { id: 1, name: 'node-a', ipv4: '198.51.100.1', ipv6: '2001:db8:a::/64', private: ['10.0.0.2'] },
    { id: 2, name: 'node-b', ipv4: '198.51.100.2', status: 'off' },
  ]
  cloud.floatingIps = [
    { id: 11, ip: '192.0.2.1', type: 'ipv4', server: 1 },
    { id: 12, ip: '192.0.2.2', type: 'ipv4', server: null },
  ]
  provider = new Hetzner({ token: cloud.token, url: cloud.url, timeoutMs: 5_000, pollMs: 5 })
})
afterEach(() => cloud.stop())

const serverOf = (id: number) => cloud.floatingIps.find((ip) => ip.id === id)!.server

test('addresses and servers are listed as the manager compares them', async () => {
  expect(await provider.listAddresses(signal)).toEqual([
    { address: '192.0.2.1', providerId: '11', serverId: '1' },
    { address: '192.0.2.2', providerId: '12', serverId: null },
  ])
  expect(await provider.listServers(signal)).toEqual([
    { id: '1', name: 'node-a', addresses: ['198.51.100.1', '2001:db8:a::1', '10.0.0.2'], running: true },
    { id: '2', name: 'node-b', addresses: ['198.51.100.2'], running: false },
  ])
})

test('every page of an answer counts', async () => {
  cloud.perPageMax = 2
  cloud.floatingIps = Array.from({ length: 5 }, (_, i) => ({
    id: i,
    ip: `192.0.2.${i}`,
    type: 'ipv4',
    server: null,
  }))
  expect((await provider.listAddresses(signal)).map(({ address }) => address)).toEqual(
    cloud.floatingIps.map(({ ip }) => ip),
  )
  await provider.attach('192.0.2.4', '1', signal)
  expect(serverOf(4)).toBe(1)
})

test('an answer of which a page fails is no answer', async () => {
  cloud.perPageMax = 1
  cloud.troubles = [
    {
      when: /GET \/floating_ips/,
      does: { status: 200, body: { floating_ips: [], meta: { pagination: { next_page: 2 } } } },
    },
    { when: /GET \/floating_ips/, does: { status: 503 } },
  ]
  await expect(provider.listAddresses(signal)).rejects.toMatchObject({ kind: 'retry', status: 503 })
})

describe('an IPv6 floating IP is a network', () => {
  test('its addresses are those that have a reverse name, and only one of them moves', async () => {
    cloud.floatingIps = [
      {
        id: 13,
        ip: '2001:DB8:1::/64',
        type: 'ipv6',
        server: 1,
        dns_ptr: [
          { ip: '2001:db8:1:0:0:0:0:25', dns_ptr: 'out.test' },
          { ip: '2001:db8:1::26', dns_ptr: 'out2.test' },
        ],
      },
      { id: 14, ip: '2001:db8:2::/64', type: 'ipv6', server: null },
    ]
    expect(await provider.listAddresses(signal)).toEqual([
      { address: '2001:db8:1::25', providerId: '13', serverId: '1' },
      {
        address: '2001:db8:1::26',
        providerId: '13',
        serverId: '1',
        blocked: expect.stringContaining('together with 2001:db8:1::25'),
      },
      { address: '2001:db8:2::1', providerId: '14', serverId: null },
    ])
  })

  test('any address in it stands for it', async () => {
    cloud.floatingIps = [{ id: 13, ip: '2001:db8:1::/64', type: 'ipv6', server: null }]
    await provider.attach('2001:db8:1::25', '1', signal)
    expect(serverOf(13)).toBe(1)
  })
})

describe('attach', () => {
  test('moves an address and waits for the end of the action', async () => {
    cloud.looks = 2
    await provider.attach('192.0.2.1', '2', signal)
    expect(serverOf(11)).toBe(2)
    expect(cloud.actions.map(({ status }) => status)).toEqual(['success'])
  })

  test('changes nothing where it is there already', async () => {
    await provider.attach('192.0.2.1', '1', signal)
    expect(cloud.actions).toEqual([])
  })

  test('takes an address off first where the API insists on it', async () => {
    cloud.insistsOnUnassign = true
    await provider.attach('192.0.2.1', '2', signal)
    expect(serverOf(11)).toBe(2)
  })

  test('goes on with a move that another has begun, and begins no second', async () => {
    cloud.begin(12, 2)
    await provider.attach('192.0.2.2', '2', signal)
    expect([serverOf(12), cloud.actions.length]).toEqual([2, 1])
  })

  test('waits for a move to elsewhere, then moves on', async () => {
    cloud.begin(12, 2)
    await provider.attach('192.0.2.2', '1', signal)
    expect([serverOf(12), cloud.actions.length]).toEqual([1, 2])
  })

  test('an action that fails is tried again later, and what it says is told', async () => {
    cloud.ends = 'error'
    await expect(provider.attach('192.0.2.2', '1', signal)).rejects.toMatchObject({
      kind: 'retry',
      message: 'Hetzner Cloud: could not assign 192.0.2.2: action_failed Action failed',
    })
    cloud.ends = 'success'
    await provider.attach('192.0.2.2', '1', signal)
    expect(serverOf(12)).toBe(1)
  })

  test.each<[string, Trouble['does']]>([
    ['the answer is lost', 'reset after'],
    ['no answer comes', 'silence'],
    ['the answer is garbage', 'garbage'],
  ])('is unfinished when it was asked for and %s; the next call finishes it', async (_name, does) => {
    cloud.troubles = [{ when: /actions\/assign/, does }]
    await expect(provider.attach('192.0.2.2', '2', signal)).rejects.toMatchObject({ kind: 'unfinished' })
    await provider.attach('192.0.2.2', '2', signal)
    expect([serverOf(12), cloud.actions.length]).toEqual([2, 1])
  })

  test('is unfinished when the action cannot be followed', async () => {
    cloud.troubles = [{ when: /GET \/actions/, does: { status: 429, headers: { 'retry-after': '7' } } }]
    await expect(provider.attach('192.0.2.2', '1', signal)).rejects.toMatchObject({
      kind: 'unfinished',
      retryAfterMs: 7_000,
    })
  })

  test('locked is tried again later', async () => {
    cloud.troubles = [
      {
        when: /actions\/assign/,
        does: { status: 423, body: { error: { code: 'locked', message: 'item is locked' } } },
      },
    ]
    await expect(provider.attach('192.0.2.2', '1', signal)).rejects.toMatchObject({
      kind: 'retry',
      message: 'Hetzner Cloud: asked to assign 192.0.2.2, it answered 423 locked: item is locked',
    })
  })

  test.each([
    ['an address that is not there', '203.0.113.9', '1', 'not_found'],
    ['a server that is not there', '192.0.2.2', '99', 'refused'],
  ])('%s is told apart', async (_name, address, server, kind) => {
    await expect(provider.attach(address, server, signal)).rejects.toMatchObject({ kind })
  })

  test('a blocked address is listed as such and not moved', async () => {
    cloud.floatingIps[1]!.blocked = true
    expect((await provider.listAddresses(signal))[1]!.blocked).toMatch(/blocked/)
    await expect(provider.attach('192.0.2.2', '1', signal)).rejects.toMatchObject({ kind: 'refused' })
    expect(cloud.actions).toEqual([])
  })
})

describe('faults', () => {
  const inAMinute = () => String(Math.ceil(Date.now() / 1000) + 3000)

  test.each<[string, Trouble['does'], object]>([
    [
      '429 with Retry-After',
      { status: 429, headers: { 'retry-after': '12' } },
      { kind: 'retry', retryAfterMs: 12_000 },
    ],
    [
      '429 with RateLimit-Reset, which is when all of the hour is back',
      { status: 429, headers: { 'ratelimit-reset': inAMinute() } },
      { kind: 'retry', retryAfterMs: 60_000 },
    ],
    ['500', { status: 500 }, { kind: 'retry', status: 500 }],
    [
      '503 with a date',
      {
        status: 503,
        headers: { date: 'Sun, 22 Nov 2026 06:00:00 GMT', 'retry-after': 'Sun, 22 Nov 2026 06:00:30 GMT' },
      },
      { kind: 'retry', retryAfterMs: 30_000 },
    ],
    ['no JSON', 'garbage', { kind: 'retry', message: expect.stringContaining('no JSON') }],
    ['another shape', { status: 200, body: { servers: [{ id: 'x' }] } }, { kind: 'retry' }],
    ['a slow answer', 'silence', { kind: 'retry', message: expect.stringContaining('in time') }],
    ['a broken connection', 'reset', { kind: 'retry', message: expect.stringContaining('ECONNRESET') }],
    [
      '403',
      { status: 403, body: { error: { code: 'token_readonly', message: 'read only' } } },
      { kind: 'refused', message: expect.stringContaining('Read & Write') },
    ],
    ['403 that breaks off', { status: 403, cut: true }, { kind: 'refused', status: 403 }],
    [
      'an answer that breaks off',
      { status: 200, cut: true },
      { kind: 'retry', message: expect.stringContaining('could not be reached') },
    ],
    ['a redirect', { status: 302, headers: { location: 'http://elsewhere.invalid/' } }, { kind: 'refused' }],
  ])('%s', async (_name, does, error) => {
    cloud.troubles = [{ when: /GET \/servers/, does }]
    await expect(provider.listServers(signal)).rejects.toMatchObject(error)
    expect(cloud.asked).toEqual(['GET /servers'])
  })

  test('a token that is not known says what to do, and is not told itself', async () => {
    const wrong = new Hetzner({ token: 'wrong-token', url: cloud.url })
    const error = (await wrong.listServers(signal).catch((caught) => caught)) as Error
    expect(error).toMatchObject({ kind: 'refused', status: 401 })
    expect(error.message).toMatch(/HETZNER_TOKEN must be a Read & Write token/)
    expect(JSON.stringify([error, error.message, error.stack, error.cause])).not.toContain('wrong-token')
  })

  test('an error body that repeats the token is told without it', async () => {
    cloud.troubles = [
      {
        when: /servers/,
        does: { status: 400, body: { error: { code: 'x', message: `bad\n${cloud.token}` } } },
      },
    ]
    await expect(provider.listServers(signal)).rejects.toThrow('400 x: bad [secret]')
  })

  test.each([
    ['the floating IP cannot be read', /GET \/floating_ips$/, true],
    ['what is under way cannot be read', /GET \/floating_ips\/12\/actions/, true],
    ['the change is answered with 503', /POST/, false],
    ['the action cannot be followed', /GET \/actions/, false],
  ])('says whether something was asked to change when %s', async (_name, when, changedNothing) => {
    cloud.looks = 1
    cloud.troubles = [{ when, does: { status: 503 } }]
    await expect(provider.attach('192.0.2.2', '1', signal)).rejects.toMatchObject({ changedNothing })
  })

  test('nobody there', async () => {
    cloud.stop()
    await expect(provider.attach('192.0.2.2', '1', signal)).rejects.toMatchObject({
      kind: 'retry',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('an abort ends a call at once, and nothing is sent after it', async () => {
    const stop = new AbortController()
    cloud.looks = 1_000
    const attached = provider.attach('192.0.2.2', '1', stop.signal)
    attached.catch(() => {})
    while (cloud.actions.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    stop.abort()
    await expect(attached).rejects.toMatchObject({ kind: 'unfinished' })
    const before = cloud.asked.length
    await expect(provider.listServers(stop.signal)).rejects.toMatchObject({ kind: 'retry' })
    expect(cloud.asked.length).toBe(before)
  })

  test('nothing is sent once another process leads, whatever has begun', async () => {
    let leads = 3
    const prove = async () => {
      if (leads-- === 0) throw new Error('another leads')
    }
    const former = new Hetzner({ token: cloud.token, url: cloud.url, prove })
    await expect(former.attach('192.0.2.2', '1', signal)).rejects.toThrow('another leads')
    expect(cloud.asked).toEqual([
      'GET /floating_ips',
      'GET /floating_ips/12/actions',
      'POST /floating_ips/12/actions/assign',
    ])
  })
})
