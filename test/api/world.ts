/** Two tenants and the operators, with a key or session of each kind, and makers of what an endpoint's path can name. */
import { randomBytes } from 'node:crypto'
import { type Browser, makePerson, signIn } from '@postel/api/testing/people'
import { startApi, type TestApi } from '@postel/api/testing/start-api'
import { makeKey } from '@postel/db/testing/make-key'

export type Tenant = {
  organizationId: string
  projectId: string
  domain: string
  sendingKey: string
  projectKey: string
  organizationKey: string
}

export type World = {
  api: TestApi
  /** Whose things the samples name. */
  owner: Tenant
  /** Somebody else, who is as well off. */
  other: Tenant
  operatorKey: string
  /** Asks as the owner (or as who has `key`) for what must succeed; the reply's body. */
  // biome-ignore lint/suspicious/noExplicitAny: replies are looked into by samples
  make(method: string, path: string, body?: unknown, key?: string): Promise<any>
  /** A person of the owner's organization, signed in. */
  person(role: string): Promise<Browser>
  stop(): Promise<void>
}

export function unique(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString('hex')}`
}

export async function startWorld(): Promise<World> {
  const api = await startApi({
    DELIVERY_MODE: 'sandbox',
    WEBHOOKS_ALLOW_PRIVATE: true,
    SYSTEM_MAIL_FROM: 'postel@system.test',
  })
  await api.tenant('system.test')
  const owner = await makeTenant(api)
  const other = await makeTenant(api)
  await api.sql`
    update postel.ip_pools set is_default = true
    where id = (select pool_id from postel.projects where id = ${owner.projectId})`
  const operatorKey = await makeKey(api.sql)
  return {
    api,
    owner,
    other,
    operatorKey,
    make: async (method, path, body, key = owner.projectKey) => {
      const reply = await ask(api.url, { method, path, body, key })
      if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text}`)
      return JSON.parse(reply.text)
    },
    person: async (role) => signIn(api, await makePerson(api, { roles: { [owner.organizationId]: role } })),
    stop: () => api.stop(),
  }
}

async function makeTenant(api: TestApi): Promise<Tenant> {
  const domain = `${unique('sender')}.test`
  const { organizationId, projectId, key, sendingKey } = await api.tenant(domain)
  const organizationKey = await makeKey(api.sql, { organizationId })
  return { organizationId, projectId, domain, projectKey: key, sendingKey, organizationKey }
}

export type Question = {
  method: string
  path: string
  body?: unknown
  type?: string
  key?: string
  headers?: Record<string, string>
}

export type Answer = { status: number; text: string; headers: Headers }

/** A request as it is, and the answer as it is. */
export async function ask(url: string, question: Question): Promise<Answer> {
  const { method, path, body, type = 'application/json', key, headers } = question
  const response = await fetch(url + path, {
    method: method.toUpperCase(),
    redirect: 'manual',
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': type }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return { status: response.status, text: await response.text(), headers: response.headers }
}
