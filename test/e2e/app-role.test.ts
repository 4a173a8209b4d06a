// The apps need no more than membership in postel_app, on a database whose owner is no superuser: mail is taken in, leaves, is
// tried again, every task of the worker does its work, and nothing of the schema is theirs to change.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { bootstrap } from '@postel/db/bootstrap'
import { connect, type Sql } from '@postel/db/client'
import { migrate } from '@postel/db/migrate'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { databaseUrl, testDatabasePrefix } from '@postel/db/testing/server'
import { createSecretBox } from '@postel/runtime/secret-box'
import { tasks } from '@postel/worker/tasks/index'
import { type AppName, AppProcess } from '../ledger/app-process.ts'
import { FakeDns } from '../support/fake-dns.ts'
import { FakeMx } from '../support/fake-mx.ts'
import { ownPort } from '../support/ports.ts'
import { RawSmtp } from '../support/raw-smtp.ts'
import { waitFor, waitUntilEqual } from '../support/wait-for.ts'

const names: readonly AppName[] = ['inbound', 'api', 'outbound', 'worker']
const suffix = `${process.pid}_${randomBytes(4).toString('hex')}`
const ownerName = `${testDatabasePrefix}owner_${suffix}`
const appName = `${testDatabasePrefix}app_${suffix}`
const name = `${testDatabasePrefix}${suffix}`
const key = `pk_test_${randomBytes(12).toString('hex')}`

let anywhere: TestDatabase
let admin: Sql
/** The owner's connection, and a pod's. */
let owner: Sql
let app: Sql
let mx: FakeMx
let dns: FakeDns
let logs: string
let port: number
let apiPort: number
const processes: AppProcess[] = []
const metrics: string[] = []

beforeAll(async () => {
  anywhere = await createTestDatabase()
  admin = connect(databaseUrl(anywhere.url, 'postgres'), { name: 'admin', max: 1 })
  await admin.unsafe(`create role ${ownerName} login password 'x'`)
  await admin.unsafe(`create database ${name} owner ${ownerName} template template0`)
  const ownerUrl = as(ownerName)
  await migrate(ownerUrl)
  owner = connect(ownerUrl, { name: 'owner', max: 1 })
  const secret = randomBytes(32).toString('base64')
  await bootstrap(owner, {
    apiKey: key,
    relayCidrs: ['127.0.0.0/8'],
    domains: ['example.test'],
    domainsVerified: true,
    dkim: ['ed25519-sha256'],
    secretBox: createSecretBox(secret),
    addresses: [{ address: '127.0.0.1', ehloName: null }],
  })
  await owner`update postel.projects set retry_schedule_seconds = '{1}'`
  // Days that are over, for the worker to drop at its start
  await owner`select postel.create_partitions(0, now() - interval '40 days')`

  await admin.unsafe(`create role ${appName} login password 'x' in role postel_app`)
  app = connect(as(appName), { name: 'app', max: 1 })

  mx = await FakeMx.start({ rcpt: { 'slow@dest.test': ['450 4.2.1 later', '250 2.1.5 ok'] } })
  dns = await FakeDns.start({
    'dest.test': { MX: [[10, 'mx.remote.test']] },
    'mx.remote.test': { A: [mx.address] },
  })
  logs = mkdtempSync(join(tmpdir(), 'postel-app-role-'))
  port = await ownPort()
  apiPort = await ownPort()
  const env = {
    DATABASE_URL: as(appName),
    POSTEL_UNSAFE_DATABASE: 'true',
    POSTEL_SECRET: secret,
    POSTEL_HOSTNAME: 'mail.postel.test',
    SMTP_HOST: '127.0.0.1',
    SMTP_SUBMISSION_PORT: `${port}`,
    SMTP_SUBMISSIONS_PORT: '0',
    SMTP_MX_PORT: '0',
    API_PORT: `${apiPort}`,
    SYSTEM_MAIL_FROM: 'Postel <postel@example.test>',
    DELIVERY_ALLOW_PRIVATE: 'true',
    DELIVERY_PORT: `${mx.port}`,
    DNS_SERVERS: dns.address,
    OUTBOUND_ADDRESSES: '127.0.0.1',
    // Mail that leaves sooner has been heard of by LISTEN
    OUTBOUND_POLL_SECONDS: '60',
  }
  for (const each of names) {
    const metricsPort = await ownPort()
    metrics.push(`http://127.0.0.1:${metricsPort}`)
    processes.push(
      new AppProcess(each, each, { ...env, METRICS_PORT: `${metricsPort}` }, join(logs, `${each}.log`)),
    )
  }
  await Promise.all(processes.map((process) => process.start()))
})

afterAll(async () => {
  await Promise.all(processes.map((process) => process.end('SIGKILL')))
  await Promise.all([mx?.stop(), dns?.stop()])
  await Promise.all([owner?.end({ timeout: 1 }), app?.end({ timeout: 1 })])
  await admin.unsafe(`drop database if exists ${name} with (force)`)
  for (const role of [appName, ownerName]) await admin.unsafe(`drop role if exists ${role}`)
  await admin.end({ timeout: 1 })
  await anywhere.drop()
  if (logs) rmSync(logs, { recursive: true, force: true })
})

function as(role: string): string {
  const url = new URL(databaseUrl(anywhere.url, name))
  url.username = role
  url.password = 'x'
  return url.href
}

async function submitBySmtp(recipient: string): Promise<void> {
  const client = await RawSmtp.connect(port)
  await client.expect(220, 'connecting')
  await client.ehlo()
  await client.say('MAIL FROM:<ann@example.test>', 250)
  await client.say(`RCPT TO:<${recipient}>`, 250)
  await client.say('DATA', 354)
  client.write('From: ann@example.test\r\nSubject: by SMTP\r\n\r\nHello\r\n.\r\n')
  await client.expect(250, 'the message')
  client.destroy()
}

const states = () =>
  owner<{ line: string }[]>`select recipient || ' ' || state as line from postel.deliveries order by 1`.then(
    (rows) => rows.map(({ line }) => line),
  )

test('neither the owner of the database nor the role of the apps is a superuser, and nothing belongs to the apps', async () => {
  const roles = await admin<{ name: string; special: boolean }[]>`
    select rolname as name, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication as special
    from pg_roles where rolname in (${ownerName}, ${appName}, 'postel_app') order by 1`
  expect(roles.map(({ special }) => special)).toEqual([false, false, false])
  const [row] = await owner<{ owners: string[] }[]>`
    select array_agg(distinct pg_get_userbyid(c.relowner)::text) as owners from pg_class c
    where c.relnamespace in ('postel'::regnamespace, 'graphile_worker'::regnamespace)`
  expect(row!.owners).toEqual([ownerName])
})

test('mail comes in by SMTP and by REST, leaves at once, and is tried again', async () => {
  await submitBySmtp('bob@dest.test')
  await submitBySmtp('slow@dest.test')
  const response = await fetch(`http://127.0.0.1:${apiPort}/emails`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      from: 'ann@example.test',
      to: 'carl@dest.test',
      subject: 'by REST',
      text: 'Hello',
    }),
  })
  expect(response.status).toBe(200)
  await waitUntilEqual(
    states,
    ['bob@dest.test delivered', 'carl@dest.test delivered', 'slow@dest.test delivered'],
    40,
  )
  expect(mx.messages.flatMap(({ to }) => to).sort()).toEqual([
    'bob@dest.test',
    'carl@dest.test',
    'slow@dest.test',
  ])
})

test('every task of the worker does its work', async () => {
  // By graphile-worker's own function, as the apps add theirs
  for (const task of Object.keys(tasks)) await app`select graphile_worker.add_job(${task})`
  const left = () => owner<{ task: string; error: string | null }[]>`
    select j.task_identifier as task, j.last_error as error from graphile_worker.jobs j
    where j.task_identifier = any (${Object.keys(tasks)}) and j.run_at <= now()`
  // Of one look: a minute may begin behind it, and bring new jobs
  const done = await waitFor(async () => {
    const jobs = await left()
    return jobs.every(({ error }) => error !== null) && jobs
  }, 40)
  expect([...done]).toEqual([])
})

test('the worker makes the partitions that are missing and drops those that are past their time', async () => {
  const past = () => owner<{ name: string }[]>`
    select c.oid::regclass::text as name from pg_class c
    where c.relnamespace = 'postel'::regnamespace and c.relkind = 'r'
      and c.relname ~ '_\\d{8}$' and right(c.relname, 8) < to_char(now() - interval '35 days', 'YYYYMMDD')`
  const ahead = () =>
    owner`select to_regclass('postel.events_' || to_char(now() + interval '13 days', 'YYYYMMDD')) as name`
  const [row] = await ahead()
  await owner`drop table ${owner(row!.name)}`
  await app`select graphile_worker.add_job('partitions')`
  await waitFor(async () => (await ahead())[0]!.name, 20)
  await waitFor(async () => (await past()).length === 0, 20)
})

test('no partition that is still needed can be dropped', async () => {
  const [today] = await owner<{ name: string }[]>`select 'messages_' || to_char(now(), 'YYYYMMDD') as name`
  for (const [parent, partition] of [
    ['messages', today!.name],
    ['messages', 'organizations'],
    ['messages', 'messages_19990101'],
  ] as const)
    await expect(app`select postel.drop_partition(${parent}, ${partition})`).rejects.toThrow(
      `postel.${partition} is no partition of ${parent} that may go`,
    )
})

test.each([
  'create table postel.mine ()',
  'create table public.mine ()',
  'create table graphile_worker.mine ()',
  'alter table postel.messages add column mine text',
  'drop table postel.messages',
  'truncate postel.queue',
  'create trigger mine before insert on postel.messages for each row execute function postel.mine()',
  'create or replace function postel.may_submit() returns void language sql as $$ $$',
  "update postel.schema_versions set digest = 'x'",
  'delete from postel.migrations',
  "select pg_read_file('/etc/passwd')",
  "copy postel.api_keys to '/tmp/mine'",
])('the apps may not: %s', async (statement) => {
  await expect(app.unsafe(statement)).rejects.toMatchObject({ code: '42501' })
})

test('all are ready, and none met a right that it lacks', async () => {
  for (const url of metrics) {
    expect((await fetch(`${url}/metrics`)).status).toBe(200)
    await waitFor(async () => (await fetch(`${url}/readyz`)).ok)
  }
  for (const each of names)
    expect(readFileSync(join(logs, `${each}.log`), 'utf8')).not.toMatch(
      /42501|permission denied|must be owner|row-level/,
    )
  expect(processes.flatMap(({ surprises }) => surprises)).toEqual([])
})
