/** Every endpoint refuses every principal that has too few rights, and nobody reaches what is another tenant's. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Access } from '@postel/api/caller'
import type { ApiContext } from '@postel/api/context'
import type { Endpoint } from '@postel/api/endpoint'
import { allEndpoints } from '@postel/api/endpoints'
import { testOrigin } from '@postel/api/testing/people'
import { makeKey } from '@postel/db/testing/make-key'
import { type Sample, samples } from './samples.ts'
import { type Answer, ask, startWorld, unique, type World } from './world.ts'

/** As far as their shapes go. */
const endpoints: readonly Endpoint[] = allEndpoints({} as ApiContext)

let world: World
/** A right request for each endpoint, by its id. */
const asked = new Map<string, Sample>()
const broken: string[] = []

beforeAll(async () => {
  world = await startWorld()
  for (const { id } of endpoints)
    try {
      asked.set(id, await samples[id]!(world))
    } catch (error) {
      broken.push(`${id}: ${(error as Error).message}`)
    }
})
afterAll(() => world.stop())

type As = { key?: string; headers?: Record<string, string> }

function call(endpoint: Endpoint, as: As): Promise<Answer> {
  const { params = {}, query = '', body } = asked.get(endpoint.id)!
  const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name]!))
  return ask(world.api.url, {
    method: endpoint.method,
    path: path + query,
    ...(body !== undefined && { body, type: endpoint.body?.type ?? 'application/json' }),
    ...as,
  })
}

/** What is wrong, as lines: the endpoints whose answer is not the expected one; undefined: no opinion. */
async function wrong(
  as: As,
  expected: (endpoint: Endpoint, sample: Sample) => string | undefined,
): Promise<string[]> {
  const lines: string[] = []
  for (const endpoint of endpoints.filter(({ id }) => asked.has(id))) {
    const want = expected(endpoint, asked.get(endpoint.id)!)
    if (want === undefined) continue
    const { status, text } = await call(endpoint, as)
    const got = want.includes(' ') ? `${status} ${nameIn(text)}` : `${status}`
    if (got !== want) lines.push(`${endpoint.method} ${endpoint.path}: ${got}, not ${want}`)
  }
  return lines
}

function nameIn(text: string): string {
  try {
    return String(JSON.parse(text).name)
  } catch {
    return 'no JSON'
  }
}

const needs = (...levels: Access[]) => {
  const set = new Set<Access>(levels)
  return ({ access }: Endpoint) => set.has(access)
}
const tenants = needs('send', 'read', 'write', 'administer', 'operate')

test('every endpoint has a sample, and every sample an endpoint', () => {
  expect(endpoints.map(({ id }) => id).sort()).toEqual(Object.keys(samples).sort())
  expect(broken).toEqual([])
})

test('without a key: 401', async () => {
  expect(
    await wrong({}, (endpoint, { without }) => {
      if (endpoint.access === 'own') return `${without}`
      return tenants(endpoint) ? '401 missing_api_key' : undefined
    }),
  ).toEqual([])
})

test.each([
  ['an unknown key', 'pk_live_0123456789abcdefghijklmnopqrstuv'],
  ['a key of 10 KB', 'x'.repeat(10_000)],
  ['a hash instead of a key', '0'.repeat(64)],
])('with %s: 403', async (_, key) => {
  expect(
    await wrong({ key }, ({ access }) => (access === 'anyone' ? undefined : '403 invalid_api_key')),
  ).toEqual([])
})

test('a key that may only send does nothing else', async () => {
  const restricted = needs('read', 'write', 'administer', 'operate')
  expect(
    await wrong({ key: world.owner.sendingKey }, (endpoint, { sending }) => {
      if (endpoint.access === 'own') return sending === undefined ? '401' : `${sending}`
      return restricted(endpoint) ? '401 restricted_api_key' : undefined
    }),
  ).toEqual([])
})

test("a project's key neither administers nor operates", async () => {
  const restricted = needs('administer', 'operate')
  expect(
    await wrong({ key: world.owner.projectKey }, (endpoint) =>
      restricted(endpoint) ? '403 invalid_permission' : undefined,
    ),
  ).toEqual([])
})

test("an organization's key does not operate", async () => {
  const restricted = needs('operate')
  expect(
    await wrong({ key: world.owner.organizationKey }, (endpoint) =>
      restricted(endpoint) ? '403 invalid_permission' : undefined,
    ),
  ).toEqual([])
})

test.each([
  ['read_only', ['send', 'write', 'administer', 'operate']],
  ['maintainer', ['administer', 'operate']],
  ['admin', ['operate']],
] as const)('a %s person may not %s', async (role, levels) => {
  const { cookie } = await world.person(role)
  const { organizationId, projectId } = world.owner
  const headers = {
    origin: testOrigin,
    cookie,
    'postel-organization': organizationId,
    'postel-project': projectId,
  }
  const restricted = needs(...levels)
  expect(
    await wrong({ headers }, (endpoint) => (restricted(endpoint) ? '403 invalid_permission' : undefined)),
  ).toEqual([])
})

test("a person of the organization is nobody in another's", async () => {
  const { cookie } = await world.person('admin')
  const headers = { origin: testOrigin, cookie, 'postel-organization': world.other.organizationId }
  expect(
    await wrong({ headers }, (endpoint) =>
      needs('send', 'read', 'write', 'administer')(endpoint) ? '404 not_found' : undefined,
    ),
  ).toEqual([])
})

const named = ({ path, access }: Endpoint) =>
  path.includes('{') && access !== 'anyone' && access !== 'operate'

test("another tenant's keys do not find what is not theirs", async () => {
  const { projectKey, organizationKey, organizationId, projectId } = world.other
  const project = { 'postel-project': projectId }
  expect(
    await wrong({ key: projectKey }, (endpoint) =>
      named(endpoint) && endpoint.access !== 'administer' ? '404 not_found' : undefined,
    ),
  ).toEqual([])
  expect(
    await wrong({ key: organizationKey, headers: project }, (endpoint) =>
      named(endpoint) && endpoint.access !== 'send' ? '404 not_found' : undefined,
    ),
  ).toEqual([])
  // An operator that names a tenant is in it, and sees no other
  const headers = { 'postel-organization': organizationId, ...project }
  expect(
    await wrong({ key: world.operatorKey, headers }, (endpoint) =>
      named(endpoint) && needs('read', 'write', 'administer')(endpoint) ? '404 not_found' : undefined,
    ),
  ).toEqual([])
})

test('a project key does not find what belongs to another project of its organization', async () => {
  const { organizationId } = world.owner
  const [second] = await world.api.sql<{ id: string }[]>`
    insert into postel.projects (organization_id, name, pool_id)
    select organization_id, 'second', pool_id from postel.projects where id = ${world.owner.projectId} returning id`
  const key = await makeKey(world.api.sql, { organizationId, projectId: second!.id })
  const ofProject = /^\/(emails|queue\/operations|webhooks|api-keys|smtp-credentials)\//
  expect(
    await wrong({ key }, (endpoint) =>
      named(endpoint) && ofProject.test(endpoint.path) ? '404 not_found' : undefined,
    ),
  ).toEqual([])
})

test("nothing of another tenant's is in any list", async () => {
  const own = [...asked.values()]
    .flatMap(({ params = {} }) => Object.values(params))
    .filter((id) => id.length > 20)
  const { projectId, organizationId, domain } = world.owner
  // Somebody new, whose own requests, which are logged, have not named them
  const stranger = await world.api.tenant(`${unique('stranger')}.test`)
  const strangers = [stranger.key, await makeKey(world.api.sql, { organizationId: stranger.organizationId })]
  const leaks: string[] = []
  for (const endpoint of endpoints.filter(({ id }) => asked.has(id))) {
    if (endpoint.method !== 'get' || endpoint.path.includes('{') || endpoint.access === 'operate') continue
    for (const key of strangers) {
      const { text } = await call(endpoint, { key })
      for (const secret of [...own, projectId, organizationId, domain])
        if (text.includes(secret)) leaks.push(`${endpoint.path} shows ${secret}`)
    }
  }
  expect(leaks).toEqual([])
})

/** Last, because it deletes: what everybody else was refused was there all the time. */
test('who may use an endpoint can, with the same requests', async () => {
  const lines: string[] = []
  for (const endpoint of endpoints.filter(({ id }) => asked.has(id))) {
    const { by, status } = asked.get(endpoint.id)!
    const { sendingKey, projectKey, organizationKey } = world.owner
    const keys = { project: projectKey, organization: organizationKey, operator: world.operatorKey }
    const least = { administer: organizationKey, operate: world.operatorKey, send: sendingKey } as Partial<
      Record<Access, string>
    >
    const key = by ? keys[by] : (least[endpoint.access] ?? projectKey)
    const reply = await call(endpoint, { key })
    const good = status === undefined ? reply.status >= 200 && reply.status < 300 : reply.status === status
    if (!good) lines.push(`${endpoint.method} ${endpoint.path}: ${reply.status} ${reply.text.slice(0, 200)}`)
  }
  expect(lines).toEqual([])
})
