/** Rows that tests start from. Each call makes new ones under new names, so tests of one file do not meet. */
import { randomBytes, randomInt } from 'node:crypto'
import type { Sql } from '../client.ts'
import type { Submission } from '../submitter.ts'
import { patience } from './patience.ts'

export type IpOptions = { state?: string; weight?: number; nodeName?: string; heldBy?: string }

export type TenantOptions = {
  /** Source IPs of the pool: how many, or what they are like. Default 1. */
  ips?: number | readonly IpOptions[]
  retrySchedule?: readonly number[]
  expireAfterSeconds?: number
}

/** An organization with one project, one pool and one verified domain. */
export type Tenant = {
  organizationId: string
  projectId: string
  projectName: string
  poolId: number
  poolName: string
  ips: { id: number; address: string }[]
  domain: string
}

export type MessageOptions = {
  /** Default: one recipient. */
  to?: readonly string[]
  raw?: string | Buffer
  subject?: string
  sendAt?: Date
  priority?: number
  expiresInSeconds?: number
  organizationId?: string
  projectId?: string
}

export function unique(prefix: string): string {
  return `${prefix}-${randomBytes(5).toString('hex')}`
}

export async function makeTenant(sql: Sql, options: TenantOptions = {}): Promise<Tenant> {
  const { ips = 1, retrySchedule, expireAfterSeconds = 259_200 } = options
  const poolName = unique('pool')
  const projectName = unique('project')
  const domain = `${unique('sender')}.test`
  const [pool] = await sql<{ id: number }[]>`
    insert into postel.ip_pools (name) values (${poolName}) returning id`
  const [project] = await sql<{ organizationId: string; projectId: string }[]>`
    with o as (insert into postel.organizations (name) values (${unique('organization')}) returning id)
    insert into postel.projects (organization_id, name, pool_id, retry_schedule_seconds, expire_after_seconds)
    select o.id, ${projectName}, ${pool!.id}, ${(retrySchedule as number[]) ?? null}::int[], ${expireAfterSeconds} from o
    returning organization_id as "organizationId", id as "projectId"`
  await sql`
    insert into postel.domains (organization_id, name, status, verified_at)
    values (${project!.organizationId}, ${domain}, 'verified', now())`
  const tenant: Tenant = { ...project!, projectName, poolId: pool!.id, poolName, ips: [], domain }
  for (const ip of typeof ips === 'number' ? Array.from({ length: ips }, () => ({})) : ips)
    tenant.ips.push(await makeIp(sql, tenant.poolId, ip))
  return tenant
}

/** A source IP; `heldBy` names a process that is made and holds it for the next hour. */
export async function makeIp(
  sql: Sql,
  poolId: number,
  { state = 'active', weight = 100, nodeName, heldBy }: IpOptions = {},
): Promise<{ id: number; address: string }> {
  const address = nextAddress()
  const [ip] = await sql<{ id: number }[]>`
    insert into postel.ip_addresses (pool_id, address, state, weight, node_name)
    values (${poolId}, ${address}::inet, ${state}, ${weight}, ${nodeName ?? null}) returning id`
  if (heldBy) {
    await sql`
      insert into postel.outbound_processes (id, node_name, heartbeat_at) values (${heldBy}, 'node', now())
      on conflict (id) do nothing`
    await sql`
      insert into postel.ip_holders (ip_id, process_id, epoch, acquired_at, expires_at)
      values (${ip!.id}, ${heldBy}, 1, now(), now() + interval '1 hour')`
  }
  return { id: ip!.id, address }
}

let addresses = randomInt(2 ** 24)

/** Counted on, because drawn ones would meet now and then. */
function nextAddress(): string {
  const number = addresses++ % 2 ** 24
  return `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`
}

export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1)
}

/** What a process hands to the Submitter. */
export function submission(tenant: Tenant, options: MessageOptions = {}): Submission {
  const { to = ['ann@dest.test'], subject = 'subject', sendAt, priority, expiresInSeconds } = options
  const raw = Buffer.from(options.raw ?? `From: a@${tenant.domain}\r\nSubject: ${subject}\r\n\r\ntext\r\n`)
  return {
    organizationId: options.organizationId ?? tenant.organizationId,
    projectId: options.projectId ?? tenant.projectId,
    source: 'smtp',
    envelopeFrom: `a@${tenant.domain}`,
    signingDomain: tenant.domain,
    messageIdHeader: `<${unique('id')}@${tenant.domain}>`,
    headerFrom: `a@${tenant.domain}`,
    subject,
    recipients: to.map((address) => ({ address, domain: domainOf(address) })),
    raw,
    ...(sendAt && { sendAt }),
    ...(priority !== undefined && { priority }),
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
  }
}

export type Stored = { messageIds: string[]; ipIds: number[] | null; due: Date[] | null }

/** Calls postel.submit_batch with these messages. */
export async function submitBatch(
  sql: Sql,
  tenant: Tenant,
  messages: readonly MessageOptions[],
  now = new Date(),
): Promise<Stored> {
  const bodies: Buffer[] = []
  let off = 1
  const json = messages.map((options) => {
    const { raw, ...message } = submission(tenant, options)
    const element = {
      org: message.organizationId,
      prj: message.projectId,
      src: message.source,
      efrom: message.envelopeFrom,
      sdom: message.signingDomain,
      mid: message.messageIdHeader,
      hfrom: message.headerFrom,
      subj: message.subject,
      size: raw.length,
      off,
      len: raw.length,
      enc: 0,
      det: null,
      prio: message.priority ?? null,
      exp: message.expiresInSeconds ?? null,
      send_at: message.sendAt ?? null,
      rcpt: message.recipients.map((recipient) => recipient.address),
      rdom: message.recipients.map((recipient) => recipient.domain),
    }
    bodies.push(raw)
    off += raw.length
    return element
  })
  const [row] = await sql<Stored[]>`
    select b.message_ids::text[] as "messageIds", b.ip_ids as "ipIds", b.due
    from postel.submit_batch(${JSON.stringify(json)}::text::json, ${Buffer.concat(bodies)}, ${now}) as b`
  return row!
}

/** One message that is stored; its id. */
export async function submitOne(
  sql: Sql,
  tenant: Tenant,
  options: MessageOptions = {},
  now?: Date,
): Promise<string> {
  return (await submitBatch(sql, tenant, [options], now)).messageIds[0]!
}

/** A message in short texts: `1 queued`, `dest.test 1,2`, `held dest.test 2`, `accepted`, `1 delivered`. */
export type State = { deliveries: string[]; queue: string[]; waiting: string[]; events: string[] }

export async function stateOf(sql: Sql, messageId: string): Promise<State> {
  const lines = (rows: readonly { line: string }[]) => rows.map((row) => row.line)
  return {
    deliveries: lines(
      await sql<{ line: string }[]>`
        select number || ' ' || state as line from postel.deliveries where message_id = ${messageId} order by number`,
    ),
    queue: lines(
      await sql<{ line: string }[]>`
        select domain || ' ' || array_to_string(numbers, ',') as line
        from postel.queue where message_id = ${messageId} order by domain, numbers`,
    ),
    waiting: lines(
      await sql<{ line: string }[]>`
        select concat_ws(' ', state, domain, array_to_string(numbers, ',')) as line
        from postel.waiting where message_id = ${messageId} order by domain, numbers`,
    ),
    events: lines(
      await sql<{ line: string }[]>`
        select concat_ws(' ', number, type) as line
        from postel.events where message_id = ${messageId} order by created_at, number nulls first, type`,
    ),
  }
}

const final = ['delivered', 'bounced', 'expired', 'cancelled', 'suppressed']

/**
 * What must hold at any time, as sentences about the rows that break it: a recipient that is not final stands in exactly
 * one row of queue or waiting, which says the same state; a final one in none and has exactly one final event. Only what
 * was cancelled may become delivered after all, when that is true.
 */
export async function inconsistencies(sql: Sql): Promise<string[]> {
  const rows = await sql<{ problem: string }[]>`
    with placed as (
      select message_id, unnest(numbers) as number, 'queued' as state from postel.queue
      union all
      select message_id, unnest(numbers), state from postel.waiting
    ),
    places as (select message_id, number, count(*) as places, min(state) as state from placed group by 1, 2),
    ends as (
      select
        message_id, number,
        count(*) - case when bool_or(type = 'delivered') then count(*) filter (where type = 'cancelled') else 0 end as ends
      from postel.events where type = any (${final}) group by 1, 2
    )
    select format('%s/%s is %s, in %s rows (%s), with %s final events', message_id, number, d.state,
      coalesce(p.places, 0), p.state, coalesce(e.ends, 0)) as problem
    from (select message_id, number, state from postel.deliveries) as d
    full join places p using (message_id, number)
    left join ends e using (message_id, number)
    where coalesce(p.places, 0) <> case when d.state = any (${final}) then 0 when d.state is null then -1 else 1 end
      or coalesce(e.ends, 0) <> case when d.state = any (${final}) then 1 else 0 end
      or p.state <> d.state
    order by 1`
  return rows.map((row) => row.problem)
}

/** The queue row of a message (of one domain), as outbound would name it. */
export async function queueRow(
  sql: Sql,
  messageId: string,
  domain?: string,
): Promise<{ id: number; ipId: number; numbers: number[] }> {
  const [row] = await sql<{ id: number; ipId: number; numbers: number[] }[]>`
    select id::float8 as id, ip_id as "ipId", numbers from postel.queue
    where message_id = ${messageId} and (${domain ?? null}::text is null or domain = ${domain ?? null})`
  return row!
}

/** Waits until the condition holds. Throws what `describe` says when it does not within the time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  seconds = 10,
  describe: () => string = () => 'the condition',
): Promise<void> {
  const end = performance.now() + seconds * patience * 1000
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`after ${seconds * patience} s still not: ${describe()}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const dayMs = 86_400_000

/** For tests that name days or months: waits out what is left of the UTC day when that is less than a minute. */
export async function awayFromMidnight(): Promise<void> {
  await until(() => dayMs - (Date.now() % dayMs) > 60_000, 30)
}

/** Rejects if the condition holds within so many seconds. */
export async function never(condition: () => boolean, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    if (condition()) throw new Error('what must not be is')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
