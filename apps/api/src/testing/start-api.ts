/** The real service on a database of its own, and a client that holds every reply against its schema. */

import { randomBytes } from 'node:crypto'
import { expect } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { hashSecret } from '@postel/db/queries/credentials'
import { createTestDatabase } from '@postel/db/testing/create-test-database'
import { until } from '@postel/db/testing/factories'
import { createLogger } from '@postel/runtime/logger'
import type { z } from 'zod'
import { type ApiConfig, readConfig } from '../config.ts'
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { allEndpoints } from '../endpoints.ts'
import { ApiService } from '../service.ts'
import { problemReply } from '../shapes.ts'

export type Tenant = { organizationId: string; projectId: string; key: string; sendingKey: string }

export type CallOptions = {
  key?: string | undefined
  /** Sent as JSON; a string or bytes go as they are. */
  body?: unknown
  headers?: Record<string, string>
}

// biome-ignore lint/suspicious/noExplicitAny: a reply is looked into by its test, after its schema has held
export type Reply = { status: number; body: any; headers: Headers }

export type TestApi = {
  url: string
  healthUrl: string
  databaseUrl: string
  sql: Sql
  /** An organization with a project, two keys and these verified domains. */
  tenant(...domains: string[]): Promise<Tenant>
  call(method: string, path: string, options?: CallOptions): Promise<Reply>
  stop(): Promise<void>
}

/** `started: false` gives the service as it is while it waits for its database. */
export async function startApi(
  changes: Partial<ApiConfig> = {},
  options = { started: true },
): Promise<TestApi> {
  const database = await createTestDatabase()
  const config = readConfig({
    DATABASE_URL: database.url,
    POSTEL_SECRET: randomBytes(32).toString('base64'),
    API_PORT: '0',
    METRICS_PORT: '0',
    LOG_LEVEL: 'silent',
    POSTEL_HOSTNAME: 'mail.postel.test',
    POSTEL_UNSAFE_DATABASE: 'true',
    API_REQUESTS_PER_SECOND: '0',
  })
  const service = new ApiService({ ...config, ...changes }, createLogger('api', 'silent'))
  const starting = service.start()
  if (options.started) await starting
  else await until(() => service.listening)
  const url = `http://127.0.0.1:${service.ports.api}`
  const sql = connect(database.url, { name: 'test', max: 2 })
  return {
    url,
    healthUrl: `http://127.0.0.1:${service.ports.health}`,
    databaseUrl: database.url,
    sql,
    tenant: (...domains) => makeTenant(sql, domains),
    call: (method, path, options) => call(url, method, path, options),
    stop: async () => {
      await service.stop()
      await sql.end({ timeout: 1 })
      await database.drop()
    },
  }
}

/** Addresses of source IPs in order: of random ones, two may be the same. */
let lastAddress = 0

async function makeTenant(sql: Sql, domains: readonly string[]): Promise<Tenant> {
  const keys = { key: newKey(), sendingKey: newKey() }
  return sql.begin(async (tx) => {
    const [pool] = await tx<{ id: number }[]>`
      insert into postel.ip_pools (name) values (${newKey()}) returning id`
    lastAddress += 1
    await tx`
      insert into postel.ip_addresses (pool_id, address)
      values (${pool!.id}, ${`10.0.${lastAddress >> 8}.${lastAddress & 255}`}::inet)`
    const [row] = await tx<{ organizationId: string; projectId: string }[]>`
      with o as (insert into postel.organizations (name) values ('test') returning id)
      insert into postel.projects (organization_id, name, pool_id)
      select o.id, 'test', ${pool!.id} from o
      returning organization_id as "organizationId", id as "projectId"`
    const { organizationId, projectId } = row!
    for (const [permission, key] of [
      ['full_access', keys.key],
      ['sending_access', keys.sendingKey],
    ] as const)
      await tx`
        insert into postel.api_keys (organization_id, project_id, name, prefix, hash, permission)
        values (${organizationId}, ${projectId}, 'test', ${key.slice(0, 12)}, ${hashSecret(key)}, ${permission})`
    for (const name of domains)
      await tx`
        insert into postel.domains (organization_id, name, status) values (${organizationId}, ${name}, 'verified')`
    return { organizationId, projectId, ...keys }
  }) as Promise<Tenant>
}

function newKey(): string {
  return `pk_test_${randomBytes(12).toString('hex')}`
}

async function call(url: string, method: string, path: string, options: CallOptions = {}): Promise<Reply> {
  const { key, body, headers } = options
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: asBody(body) }),
  })
  const reply: unknown = await response.json()
  const schema = response.ok ? replySchema(method, path) : problemReply
  // A key that the schema does not know is dropped by it, and so shows as a difference.
  expect(schema.parse(reply)).toEqual(reply)
  if (!response.ok) expect(reply).toHaveProperty('statusCode', response.status)
  return { status: response.status, body: reply, headers: response.headers }
}

function asBody(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (typeof body === 'string') return body
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body)
}

/** The endpoints as far as their shapes go: what they serve with is not touched. */
const endpoints: readonly Endpoint[] = allEndpoints({} as ApiContext)

function replySchema(method: string, path: string): z.ZodType {
  const pathname = path
    .split('?')[0]!
    .replace(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1')
  const [found] = endpoints
    .filter((each) => each.method === method.toLowerCase() && pattern(each.path).test(pathname))
    .sort((a, b) => a.path.split('{').length - b.path.split('{').length)
  if (!found) throw new Error(`no endpoint for ${method} ${path}`)
  return found.reply
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`)
}
