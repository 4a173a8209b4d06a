/** postel_operator and postel_readonly may do what they are for and nothing else; what any role can hear is ids only. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import postgres from 'postgres'
import { connect, type Sql } from './client.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import { makeTenant, submitOne, type Tenant, unique, until } from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant
let message: string
const logins: string[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
  tenant = await makeTenant(sql, { ips: 2 })
  message = await submitOne(sql, tenant)
  await sql`insert into postel.nodes (name, last_seen_at) values ('node', now())`
})
afterAll(async () => {
  for (const login of logins) await sql.unsafe(`drop role ${login}`)
  await sql.end({ timeout: 1 })
  await database.drop()
})

/** Runs the statement as a person with this role, in a session of their own, and takes it back. */
async function as(role: 'postel_operator' | 'postel_readonly' | null, statement: string): Promise<string> {
  const login = unique('person').replace('-', '_')
  logins.push(login)
  await sql.unsafe(`create role ${login} login password 'x' ${role ? `in role ${role}` : ''}`)
  const url = new URL(database.url)
  url.username = login
  url.password = 'x'
  const person = postgres(url.href, { max: 1, onnotice: () => {} })
  try {
    await person.begin(async (tx) => {
      await tx.unsafe(statement)
      throw new Rollback()
    })
    return 'unreachable'
  } catch (error) {
    if (error instanceof Rollback) return 'done'
    return (error as Error).message
  } finally {
    await person.end({ timeout: 1 })
  }
}

class Rollback extends Error {}

const views = [
  'queue_now',
  'queue_by_domain',
  'queue_by_ip',
  'recent_failures',
  'throughput',
  'nodes_now',
  'ips_now',
  'ip_moves_now',
  'listeners_now',
  'operations_now',
  'suspensions_now',
]
const reads = (): string[] => [
  ...views.map((view) => `table postel.${view}`),
  `select * from postel.explain('${message}')`,
  `select * from postel.sent_to('ann@dest.test')`,
]
const steers = (): string[] => {
  const [one, two] = tenant.ips.map((ip) => ip.address)
  return [
    `select postel.send('ann@${tenant.domain}', array['bob@dest.test'], 's', 't')`,
    `select postel.send_with('ann@${tenant.domain}', array['bob@dest.test'], 's', 't', '{"priority": "high"}')`,
    `select postel.submit_raw('ann@${tenant.domain}', array['bob@dest.test'], E'From: ann@${tenant.domain}\\r\\n\\r\\nx')`,
    `select postel.submit_raw_with('ann@${tenant.domain}', array['bob@dest.test'], E'From: ann@${tenant.domain}\\r\\n\\r\\nx', '{}')`,
    `select postel.hold('${message}')`,
    `select postel.hold(project => '${tenant.projectName}', reason => 'r')`,
    `select postel.hold('${message}'), postel.release('${message}')`,
    `select postel.hold_all('r'), postel.release_all()`,
    `select postel.cancel('${message}')`,
    `select postel.bounce('${message}', reason => 'r')`,
    `select postel.retry('${message}')`,
    `select postel.retry_mail(recipient => 'ann@dest.test')`,
    `select postel.retry_domain('dest.test')`,
    `select postel.pause_ip('${one}', 'r')`,
    `select postel.drain_ip('${one}')`,
    `select postel.resume_ip('${one}')`,
    `select postel.move_queue('${one}', '${two}')`,
    `select postel.drain_node('node', 'r'), postel.resume_node('node')`,
    `select postel.pin_ip('${one}', 'node'), postel.unpin_ip('${one}')`,
    `select postel.suspend('dest.test', 'r'), postel.resume('dest.test')`,
    `select postel.suspend('dest.test', 'r', now() + interval '1 hour')`,
    `select postel.pause_project('${tenant.projectName}'), postel.resume_project('${tenant.projectName}')`,
    `select postel.moderate('${tenant.organizationId}', 'no_sending'), postel.moderate('${tenant.organizationId}', 'active')`,
    `select postel.claim_chunk()`,
    `select postel.next_window(1, 1), postel.announce_released('{}', '{}')`,
    'listen postel_events',
  ]
}

describe('postel_operator', () => {
  test('may look at everything and steer everything', async () => {
    for (const statement of [...reads(), ...steers()])
      expect([statement, await as('postel_operator', statement)]).toEqual([statement, 'done'])
    expect(await as('postel_operator', 'select postel.stop_operation(0)')).toBe('operation 0 does not run')
  })
})

describe('postel_readonly', () => {
  test('may look at everything', async () => {
    for (const statement of [...reads(), 'listen postel_events'])
      expect([statement, await as('postel_readonly', statement)]).toEqual([statement, 'done'])
  })

  test('may steer nothing', async () => {
    for (const statement of steers().filter((each) => !each.startsWith('listen')))
      expect([statement, await as('postel_readonly', statement)]).toEqual([
        statement,
        expect.stringMatching(/^permission denied for function/),
      ])
  })
})

describe.each(['postel_operator', 'postel_readonly', null] as const)('a person with %s', (role) => {
  test('may read and write no table, and use no sequence', async () => {
    const tables = await sql<{ name: string; kind: string }[]>`
      select c.oid::regclass::text as name, c.relkind::text as kind from pg_class c
      where c.relnamespace = 'postel'::regnamespace and c.relkind in ('r', 'p', 'S')
      order by 1`
    expect(tables.length).toBeGreaterThan(40)
    const allowed = await sql<{ what: string }[]>`
      select ${role ?? 'public'}::text || ' may ' || p.privilege || ' on ' || c.oid::regclass as what
      from pg_class c
      cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as p (privilege)
      where c.relnamespace = 'postel'::regnamespace and c.relkind in ('r', 'p')
        and has_table_privilege(${role ?? 'pg_monitor'}, c.oid, p.privilege)`
    expect([...allowed]).toEqual([])
    for (const [statement, message] of [
      ['table postel.message_bodies', 'permission denied'],
      ['select private_key from postel.dkim_keys', 'permission denied'],
      ['select hash from postel.api_keys', 'permission denied'],
      ['table postel.queue', 'permission denied'],
      [
        `insert into postel.suppressions select organization_id, 'a@b.test', 'x' from postel.projects`,
        'permission denied',
      ],
      [`update postel.deliveries set state = 'delivered'`, 'permission denied'],
      ['delete from postel.queue', 'permission denied'],
      ['truncate postel.queue', 'permission denied'],
      [`select nextval('postel.queue_id_seq')`, 'permission denied'],
      ['table graphile_worker._private_jobs', 'permission denied'],
      ['create table postel.mine ()', 'permission denied'],
    ] as const)
      expect([statement, await as(role, statement)]).toEqual([statement, expect.stringContaining(message)])
  })

  test('may call no function of the apps', async () => {
    const [row] = await sql<{ names: string[] }[]>`
      select array_agg(distinct p.proname::text order by p.proname::text) as names from pg_proc p
      where p.pronamespace = 'postel'::regnamespace and has_function_privilege(${role ?? 'pg_monitor'}, p.oid, 'execute')`
    const readable = [
      'explain',
      'in_flight',
      'ips_on_node',
      'listeners',
      'sent_to',
      'site_trouble',
      'suspension_of',
      'uuid_v7_floor',
    ]
    const steering = [
      ...[
        'announce_released',
        'bounce',
        'cancel',
        'drain_ip',
        'drain_node',
        'hold',
        'hold_all',
        'move_queue',
        'pause_ip',
        'pause_project',
        'pin_ip',
        'moderate',
      ],
      ...[
        'release',
        'release_all',
        'resume',
        'resume_ip',
        'resume_node',
        'resume_project',
        'retry',
        'retry_domain',
      ],
      'retry_mail',
      'unpin_ip',
      ...[
        'run_operations',
        'run_chunk',
        'claim_chunk',
        'next_window',
        'send',
        'send_with',
        'stop_operation',
        'submit_raw',
        'submit_raw_with',
        'suspend',
      ],
    ]
    const expected =
      role === 'postel_operator' ? [...readable, ...steering] : role === 'postel_readonly' ? readable : []
    expect(row!.names ?? []).toEqual(expected.sort())
    for (const statement of [
      `select postel.record_outcomes('[]')`,
      `select postel.submit_batch('[]', '')`,
      `select postel.start_operation('cancel', '{}', 'x')`,
      `select postel.settle('{}', '{}', '{}', 'delivered', null, null, now())`,
      `select postel.release_due()`,
      `select postel.expire_holders('node')`,
      `select graphile_worker.add_job('sweep')`,
    ])
      expect([statement, await as(role, statement)]).toEqual([
        statement,
        expect.stringContaining('permission denied'),
      ])
  })

  test('may become nobody else', async () => {
    const [owner] = await sql<{ name: string }[]>`select current_user as name`
    for (const other of [
      'postel_app',
      owner!.name,
      role === 'postel_operator' ? 'postel_readonly' : 'postel_operator',
    ])
      expect([other, await as(role, `set role ${other}`)]).toEqual([
        other,
        expect.stringContaining('permission denied to set role'),
      ])
  })
})

test('functions that run with the rights of the owner cannot be led astray by a search path', async () => {
  const rows = await sql`
    select p.proname as name, p.proconfig as settings from pg_proc p
    where p.pronamespace = 'postel'::regnamespace and p.prosecdef
      and not coalesce(p.proconfig @> array['search_path=pg_catalog, postel, pg_temp'], false)`
  expect([...rows]).toEqual([])
})

test('everything of the schema says what it is', async () => {
  const rows = await sql`
    select p.oid::regprocedure::text as name from pg_proc p
    where p.pronamespace = 'postel'::regnamespace and obj_description(p.oid, 'pg_proc') is null
    union all
    select c.oid::regclass::text from pg_class c
    where c.relnamespace = 'postel'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
      and obj_description(c.oid, 'pg_class') is null`
  expect([...rows]).toEqual([])
})

test('what is notified is ids and fixed words, never an address or a text', async () => {
  const heard: string[] = []
  const listener = connect(database.url, {
    name: 'listener',
    max: 1,
    onnotify: (channel, payload) => heard.push(`${channel} ${payload}`),
  })
  for (const channel of ['postel_outbound', 'postel_events', 'postel_control', '"jobs:insert"'])
    await listener.unsafe(`listen ${channel}`)
  for (const statement of steers()) if (!statement.startsWith('listen')) await sql.unsafe(statement)
  await sql`select postel.record_outcomes('[]')`
  await sql`select pg_notify('postel_control', 'end')`
  await until(() => heard.includes('postel_control end'))
  await listener.end({ timeout: 1 })
  expect(heard.length).toBeGreaterThan(5)
  for (const line of heard)
    expect(line).toMatch(
      /^(postel_outbound [\d,]+|postel_control (ips|suspensions|end)|jobs:insert \{[^@]*\})$/,
    )
})
