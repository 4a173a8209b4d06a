/** Operators make pools and source IPs, and steer them; nobody else sees them. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Tenant as DbTenant, makeTenant, submitOne, unique } from '@postel/db/testing/factories'
import { makeKey } from '@postel/db/testing/make-key'
import { startApi, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let operator: string

beforeAll(async () => {
  api = await startApi()
  operator = await makeKey(api.sql)
})
afterAll(() => api.stop())

const call = (method: string, path: string, body?: unknown) => api.call(method, path, { key: operator, body })

async function makePool(): Promise<{ id: string; name: string }> {
  const reply = await call('POST', '/pools', { name: unique('pool') })
  expect(reply.status).toBe(201)
  return reply.body
}

let lastOctet = 0
async function makeIp(poolId: string, more: object = {}): Promise<{ id: string; address: string }> {
  lastOctet += 1
  const reply = await call('POST', '/ips', { address: `192.0.2.${lastOctet}`, pool_id: poolId, ...more })
  expect(reply.status).toBe(201)
  return reply.body
}

async function lastAudit() {
  const [row] = await api.sql`
    select organization_id, actor_kind, actor_name, action, target_kind, target_id, target_name, details
    from postel.audit_log order by id desc limit 1`
  return row
}

test('the first pool is the default, and a second is not', async () => {
  const [first, second] = [await makePool(), await makePool()]
  expect([first, second]).toMatchObject([{ default: true }, { default: false }])
})

test('a pool is made, renamed, listed and deleted, and each change is logged', async () => {
  const name = unique('pool')
  const { status, body: pool } = await call('POST', '/pools', { name })
  expect(status).toBe(201)
  expect(pool).toMatchObject({ object: 'pool', name, default: false, ips: 0, projects: 0 })
  expect(await lastAudit()).toEqual({
    organization_id: null,
    actor_kind: 'api_key',
    actor_name: 'made for a test',
    action: 'pool.created',
    target_kind: 'pool',
    target_id: pool.id,
    target_name: name,
    details: { name },
  })
  expect((await call('PATCH', `/pools/${pool.id}`, { name: `${name}-2` })).body.name).toBe(`${name}-2`)
  expect(await lastAudit()).toMatchObject({ action: 'pool.updated', target_name: `${name}-2` })
  expect((await call('GET', '/pools?limit=1')).body.data).toEqual([
    expect.objectContaining({ id: pool.id, name: `${name}-2` }),
  ])
  expect((await call('DELETE', `/pools/${pool.id}`)).body).toEqual({
    object: 'pool',
    id: pool.id,
    deleted: true,
  })
  expect(await lastAudit()).toMatchObject({ action: 'pool.deleted', target_id: pool.id })
  expect((await call('GET', `/pools/${pool.id}`)).status).toBe(404)
})

test('two pools have not one name', async () => {
  const [one, other] = [await makePool(), await makePool()]
  expect((await call('POST', '/pools', { name: one.name })).status).toBe(409)
  expect((await call('PATCH', `/pools/${other.id}`, { name: one.name })).status).toBe(409)
})

test('one pool is the default, and it cannot be deleted', async () => {
  const [one, other] = [await makePool(), await makePool()]
  for (const pool of [one, other, one])
    expect((await call('PATCH', `/pools/${pool.id}`, { default: true })).body.default).toBe(true)
  expect((await call('GET', `/pools/${other.id}`)).body.default).toBe(false)
  expect((await call('PATCH', '/pools/99999', { default: true })).status).toBe(404)
  expect((await call('GET', `/pools/${one.id}`)).body.default).toBe(true)
  expect((await call('DELETE', `/pools/${one.id}`)).status).toBe(409)
})

test('a pool with an IP or a project in it is not deleted', async () => {
  const tenant = await makeTenant(api.sql, { ips: 0 })
  expect((await call('DELETE', `/pools/${tenant.poolId}`)).status).toBe(409)
  const pool = await makePool()
  await makeIp(pool.id)
  expect((await call('DELETE', `/pools/${pool.id}`)).status).toBe(409)
  expect((await call('DELETE', '/pools/99999')).status).toBe(404)
})

test('an IP is added to a pool, shown there and changed', async () => {
  const pool = await makePool()
  const ip = await makeIp(pool.id, { ehlo_name: 'Out1.Example.COM', weight: 5, state: 'warming' })
  expect(ip).toMatchObject({
    object: 'ip',
    pool_id: pool.id,
    pool: pool.name,
    ehlo_name: 'out1.example.com',
    state: 'warming',
    weight: 5,
    held_by: null,
    queued: 0,
  })
  const changed = await call('PATCH', `/ips/${ip.id}`, { weight: 0, ehlo_name: null, node_name: 'node-1' })
  expect(changed.body).toMatchObject({ weight: 0, ehlo_name: null, node_name: 'node-1', state: 'warming' })
  expect(await lastAudit()).toMatchObject({ action: 'ip.updated', details: { weight: 0, ehlo_name: null } })
  const listed = await call('GET', `/pools/${pool.id}/ips`)
  expect(listed.body.data.map(({ id }: { id: string }) => id)).toEqual([ip.id])
  expect((await call('GET', `/ips?pool_id=${pool.id}&state=active`)).body.data).toEqual([])
  expect((await call('GET', `/ips/${ip.id}`)).body.weight).toBe(0)
})

test('an IP shows what DNS says of it, once somebody has looked', async () => {
  const pool = await makePool()
  const ip = await makeIp(pool.id)
  const unknown = { ptr_ok: null, forward_ok: null, ehlo_ok: null, problem: null, checked_at: null }
  const shown = async () => (await call('GET', `/ips/${ip.id}`)).body.dns
  expect(await shown()).toEqual({ ptr_names: [], ...unknown })
  await api.sql`
    insert into postel.ip_checks (ip_id, ptr_names, ptr_ok, forward_ok, problem, checked_at, due_at)
    values (${ip.id}, '{out.test}', true, false, 'It leads nowhere.', '2026-01-01', now())`
  expect(await shown()).toEqual({
    ptr_names: ['out.test'],
    ptr_ok: true,
    forward_ok: false,
    ehlo_ok: null,
    problem: 'It leads nowhere.',
    checked_at: '2026-01-01 00:00:00+00',
  })
})

test('an address is one IP, of a pool that is there', async () => {
  const pool = await makePool()
  const ip = await makeIp(pool.id)
  expect((await call('POST', '/ips', { address: ip.address, pool_id: pool.id })).status).toBe(409)
  expect((await call('POST', '/ips', { address: '192.0.2.250', pool_id: '99999' })).status).toBe(422)
})

test.each([
  ['address', { address: 'x' }],
  ['address', { address: '192.0.2.0/24' }],
  ['pool_id', { pool_id: '1e9' }],
  ['pool_id', { pool_id: '99999999999999999999' }],
  ['weight', { weight: -1 }],
  ['weight', { weight: '1' }],
  ['weight', { weight: 2 ** 53 }],
  ['ehlo_name', { ehlo_name: 'a b' }],
  ['state', { state: 'retired' }],
])('a new IP with a wrong %s is refused by name: %j', async (field, wrong) => {
  const reply = await call('POST', '/ips', { address: '192.0.2.251', pool_id: '1', ...wrong })
  expect(reply.status).toBe(422)
  expect(reply.body.message).toContain(`\`${field}\``)
})

async function tenantWithMail(ips: number): Promise<DbTenant> {
  const tenant = await makeTenant(api.sql, {
    ips: Array.from({ length: ips }, (_, index) => ({
      heldBy: `0193500d-7f3a-7d3e-9c7e-00000000000${index}`,
    })),
  })
  for (let index = 0; index < 6; index++) await submitOne(api.sql, tenant)
  return tenant
}

const queuedOn = async (tenant: DbTenant) =>
  (
    await api.sql<{ n: number }[]>`
    select count(q.id)::int as n from unnest(${tenant.ips.map(({ id }) => id)}::int[]) with ordinality as i (id, at)
    left join postel.queue q on q.ip_id = i.id group by i.at order by i.at`
  ).map(({ n }) => n)

test('a paused IP says why and by whom, and its queue leaves it; active again it has no reason', async () => {
  const tenant = await tenantWithMail(2)
  const [ip] = tenant.ips
  const [before] = await queuedOn(tenant)
  const paused = await call('PATCH', `/ips/${ip!.id}`, { state: 'paused', reason: 'listed' })
  expect(paused.body).toMatchObject({ state: 'paused', queued: 0 })
  expect(paused.body.reason).toMatch(/^listed \(by made for a test, .* UTC\)$/)
  const [operation] = await api.sql`
    select verb, matched::int, requested_by from postel.operations order by id desc limit 1`
  if (before! > 0)
    expect(operation).toEqual({ verb: 'move', matched: before, requested_by: 'made for a test' })
  const active = await call('PATCH', `/ips/${ip!.id}`, { state: 'active' })
  expect(active.body).toMatchObject({ state: 'active', reason: null })
})

test('mail moves to another IP of its pool, and to no other', async () => {
  const tenant = await tenantWithMail(2)
  const [from, to] = tenant.ips
  const [before] = await queuedOn(tenant)
  const moved = await call('POST', `/ips/${from!.id}/move-queue`, { to: `${to!.id}` })
  expect(moved.body).toEqual({ object: 'ip', id: `${from!.id}`, moved: before })
  expect((await queuedOn(tenant))[0]).toBe(0)
  const other = await makeIp((await makePool()).id)
  const refused = await call('POST', `/ips/${to!.id}/move-queue`, { to: other.id })
  expect(refused).toMatchObject({
    status: 422,
    body: { message: expect.stringContaining('is not in the pool') },
  })
  expect((await call('POST', `/ips/${to!.id}/move-queue`, { to: '99999' })).status).toBe(404)
})

test('an IP goes to another pool only when it is drained and empty', async () => {
  const tenant = await tenantWithMail(1)
  const [ip] = tenant.ips
  const pool = await makePool()
  const move = () => call('PATCH', `/ips/${ip!.id}`, { pool_id: pool.id })
  expect((await move()).body.message).toContain('drain or pause it')
  await call('PATCH', `/ips/${ip!.id}`, { state: 'draining' })
  expect((await move()).body.message).toContain('Mail is queued on')
  await api.sql`select postel.cancel(ip => ${ip!.address}::inet)`
  expect((await call('PATCH', `/ips/${ip!.id}`, { pool_id: '99999' })).status).toBe(422)
  expect((await move()).body).toMatchObject({ pool_id: pool.id, state: 'draining' })
})

test('keys of tenants see no pool and no IP', async () => {
  const tenant = await api.tenant()
  const organizationKey = await makeKey(api.sql, { organizationId: tenant.organizationId })
  for (const key of [tenant.key, organizationKey])
    for (const path of ['/pools', '/ips', '/suspensions', '/destination-rules'])
      expect((await api.call('GET', path, { key })).body.name).toBe('invalid_permission')
})
