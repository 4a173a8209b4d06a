// Apps that start before their database is migrated live, are not ready, take no mail, and begin by themselves once it is.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readConfig as readApiConfig } from '@postel/api/config'
import { ApiService } from '@postel/api/service'
import { bootstrap } from '@postel/db/bootstrap'
import { connect, type Sql } from '@postel/db/client'
import { migrate } from '@postel/db/migrate'
import { schemaMissing } from '@postel/db/schema-version'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { databaseUrl, testDatabasePrefix } from '@postel/db/testing/server'
import { readConfig as readOutboundConfig } from '@postel/outbound/config'
import { OutboundService } from '@postel/outbound/service'
import { createLogger } from '@postel/runtime/logger'
import { createSecretBox } from '@postel/runtime/secret-box'
import { readConfig as readWorkerConfig } from '@postel/worker/config'
import { WorkerService } from '@postel/worker/service'
import { AppProcess } from '../ledger/app-process.ts'
import { ownPort } from '../support/ports.ts'
import { RawSmtp } from '../support/raw-smtp.ts'
import { waitFor } from '../support/wait-for.ts'

const secret = randomBytes(32).toString('base64')
let anywhere: TestDatabase
let admin: Sql
let logs: string

beforeAll(async () => {
  anywhere = await createTestDatabase()
  admin = connect(databaseUrl(anywhere.url, 'postgres'), { name: 'admin', max: 1 })
  logs = mkdtempSync(join(tmpdir(), 'postel-readiness-'))
})
afterAll(async () => {
  await admin.end({ timeout: 1 })
  await anywhere.drop()
  rmSync(logs, { recursive: true, force: true })
})

/** An app that was started: `started` settles when it works, or was stopped before that. */
type Started = { started: Promise<void>; health: string; port: number; stop(): Promise<unknown> }

async function environment(
  url: string,
): Promise<{ env: Record<string, string>; health: string; port: number }> {
  const [health, port] = [await ownPort(), await ownPort()]
  const env = {
    DATABASE_URL: url,
    POSTEL_UNSAFE_DATABASE: 'true',
    POSTEL_SECRET: secret,
    POSTEL_HOSTNAME: 'mail.postel.test',
    LOG_LEVEL: 'warn',
    METRICS_PORT: `${health}`,
    SMTP_HOST: '127.0.0.1',
    SMTP_SUBMISSION_PORT: `${port}`,
    SMTP_SUBMISSIONS_PORT: '0',
    SMTP_MX_PORT: '0',
    API_PORT: `${port}`,
    OUTBOUND_ADDRESSES: '127.0.0.1',
    DELIVERY_ALLOW_PRIVATE: 'true',
  }
  return { env, health: `http://127.0.0.1:${health}`, port }
}

/** inbound, as a process of its own. `stop` gives how it ended. */
async function spawnInbound(url: string): Promise<Started & { process: AppProcess }> {
  const { env, health, port } = await environment(url)
  const process = new AppProcess('inbound', 'inbound', env, join(logs, `${port}.log`))
  const started = process.start()
  started.catch(() => {})
  return { process, started, health, port, stop: () => process.end('SIGTERM') }
}

/** api, outbound and worker, in this process. */
async function startOthers(url: string): Promise<Started[]> {
  const log = createLogger('test', 'silent')
  const makers = [
    (env: Record<string, string>) => new ApiService(readApiConfig(env), log),
    (env: Record<string, string>) => new OutboundService(readOutboundConfig(env), log),
    (env: Record<string, string>) => new WorkerService(readWorkerConfig(env), log),
  ]
  return Promise.all(
    makers.map(async (make) => {
      const { env, health, port } = await environment(url)
      const service = make(env)
      return { started: service.start(), health, port, stop: () => service.stop() }
    }),
  )
}

async function ask({ health }: Started, path: '/livez' | '/readyz'): Promise<string> {
  const response = await fetch(health + path)
  return `${response.status} ${(await response.text()).trim()}`
}

/** Waits until an app tells why it waits. */
function reason(app: Started): Promise<string> {
  return waitFor(async () => {
    const answer = await ask(app, '/readyz')
    return answer !== '503 starting' && answer
  }, 45)
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

async function submit(port: number): Promise<string> {
  const client = await RawSmtp.connect(port)
  try {
    await client.expect(220, 'connecting')
    await client.ehlo()
    await client.say('MAIL FROM:<ann@example.test>', 250)
    await client.say('RCPT TO:<bob@dest.test>', 250)
    await client.say('DATA', 354)
    client.write('From: ann@example.test\r\n\r\nHello\r\n.\r\n')
    return await client.expect(250, 'the message')
  } finally {
    client.destroy()
  }
}

test('apps live and wait until the database is migrated, then take mail', async () => {
  const name = `${testDatabasePrefix}${process.pid}_readiness_${randomBytes(4).toString('hex')}`
  await admin.unsafe(`create database ${name} template template0`)
  const url = databaseUrl(anywhere.url, name)
  const inbound = await spawnInbound(url)
  const others = await startOthers(url)
  const apps = [inbound, ...others]
  const sql = connect(url, { name: 'test', max: 1 })
  try {
    expect(await Promise.all(apps.map(reason))).toEqual(apps.map(() => `503 ${schemaMissing}`))
    expect(await Promise.all(apps.map((app) => ask(app, '/livez')))).toEqual(apps.map(() => '200 ok'))
    expect(await canConnect(inbound.port)).toBe(false)
    const refused = await fetch(`http://127.0.0.1:${others[0]!.port}/emails`, { method: 'POST' })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])

    await migrate(url)
    await bootstrap(sql, {
      apiKey: `pk_test_${randomBytes(12).toString('hex')}`,
      relayCidrs: ['127.0.0.0/8'],
      domains: ['example.test'],
      domainsVerified: true,
      dkim: [],
      secretBox: createSecretBox(secret),
      addresses: [],
    })
    // inbound says it by /readyz: its start has a time limit, which the migration takes from
    await Promise.all(others.map(({ started }) => started))
    for (const app of apps) await waitFor(async () => (await ask(app, '/readyz')) === '200 ok')
    // The trusted network came after inbound had started: it is known within seconds
    expect(await waitFor(() => submit(inbound.port), 30)).toMatch(/queued as/)
    expect(inbound.process.surprises).toEqual([])
  } finally {
    await Promise.all(apps.map((app) => app.stop()))
    await sql.end({ timeout: 0 })
    await admin.unsafe(`drop database if exists ${name} with (force)`)
  }
})

test('apps that wait for a database that is away live, and end in order when they are told to', async () => {
  const url = 'postgres://postel@127.0.0.1:1/none'
  const inbound = await spawnInbound(url)
  const others = await startOthers(url)
  for (const app of [inbound, ...others]) {
    expect(await reason(app)).toMatch(/^503 the database cannot be used: .*ECONNREFUSED/)
    expect(await ask(app, '/livez')).toBe('200 ok')
  }
  const stoppedAt = performance.now()
  expect(await inbound.stop()).toEqual({ code: 0, signal: null })
  await Promise.all(others.map((app) => app.stop()))
  await Promise.all(others.map(({ started }) => started))
  expect(performance.now() - stoppedAt).toBeLessThan(40_000)
})
