/** Sender domains: what their organizations see and change, and what looks at DNS find. */
import type postgres from 'postgres'
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import type { Page } from './emails.ts'

/** Whose domains: a project sees its own and those of the whole organization; null sees all. */
export type DomainOwner = { organizationId: string; projectId: string | null }

export type DomainKeyRow = {
  id: string
  selector: string
  algorithm: 'rsa-sha256' | 'ed25519-sha256'
  publicKey: string
  active: boolean
  imported: boolean
  retiresAt: Date | null
}

/** In Resend's words. */
export type DomainStatus =
  | 'not_started'
  | 'pending'
  | 'verified'
  | 'failed'
  | 'partially_verified'
  | 'partially_failed'

export type DomainRow = {
  id: string
  organizationId: string
  /** Null: of the whole organization. */
  projectId: string | null
  name: string
  zone: string
  status: DomainStatus
  /** It may send. */
  verified: boolean
  verificationToken: string | null
  superseded: boolean
  region: string
  sending: boolean
  receiving: boolean
  returnPath: string
  openTracking: boolean
  clickTracking: boolean
  trackingSubdomain: string | null
  tls: 'opportunistic' | 'enforced'
  /** As the last check recorded them; see postel.record_domain_check. */
  records: unknown[]
  /** Texts in UTC with microseconds. */
  createdAt: string
  checkedAt: string | null
  failingSince: string | null
  keys: DomainKeyRow[]
  /** Source IPs of the pools that its mail leaves from. */
  addresses: string[]
}

/** A private key sealed under POSTEL_SECRET for the domain's name. */
export type SealedKey = Pick<DomainKeyRow, 'selector' | 'algorithm' | 'publicKey' | 'imported'> & {
  privateKey: Buffer
}

export type NewDomain = Pick<
  DomainRow,
  | 'name'
  | 'zone'
  | 'region'
  | 'sending'
  | 'receiving'
  | 'openTracking'
  | 'clickTracking'
  | 'trackingSubdomain'
  | 'tls'
> & {
  returnPath: string
  verificationToken: string
  keys: readonly SealedKey[]
  /** As they are shown, for the event. */
  records: unknown
}

export type DomainChanges = Partial<
  Pick<
    DomainRow,
    'sending' | 'receiving' | 'openTracking' | 'clickTracking' | 'trackingSubdomain' | 'tls' | 'returnPath'
  >
>

type StoredKey = Omit<DomainKeyRow, 'retiresAt'> & { retiresAt: string | null }

const columns = (sql: Sql) => sql`
  d.id, d.organization_id as "organizationId", d.project_id as "projectId", d.name, coalesce(d.zone, d.name) as zone,
  postel.domain_status(d) as status, d.status = 'verified' as verified, d.verification_token as "verificationToken",
  d.superseded_at is not null as superseded, d.region, d.sending, d.receiving, d.return_path as "returnPath",
  d.open_tracking as "openTracking", d.click_tracking as "clickTracking", d.tracking_subdomain as "trackingSubdomain", d.tls,
  coalesce(d.checks -> 'records', '[]'::jsonb) as records,
  to_char(d.created_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as "createdAt",
  to_char(d.checked_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as "checkedAt",
  to_char(d.failing_since at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' as "failingSince",
  (
    select coalesce(json_agg(json_build_object(
      'id', k.id, 'selector', k.selector, 'algorithm', k.algorithm, 'publicKey', k.public_key, 'active', k.active,
      'imported', k.imported, 'retiresAt', k.retires_at
    ) order by k.algorithm desc, k.retires_at nulls first, k.created_at desc, k.id desc), '[]')
    from postel.dkim_keys k where k.domain_id = d.id
  ) as keys,
  array(
    select distinct host(a.address) from postel.ip_addresses a
    where a.state <> 'retired' and a.pool_id in (
      select p.pool_id from postel.projects p
      where p.organization_id = d.organization_id and p.deleted_at is null
        and (d.project_id is null or p.id = d.project_id)
    )
    order by 1
  ) as addresses`

const visibleTo = (sql: Sql, { organizationId, projectId }: DomainOwner): postgres.Fragment => sql`
  d.organization_id = ${organizationId}
  and (${projectId}::uuid is null or d.project_id is null or d.project_id = ${projectId}::uuid)`

/** A project's own only, because others use what is the whole organization's. */
const changeableBy = (sql: Sql, { organizationId, projectId }: DomainOwner): postgres.Fragment => sql`
  d.organization_id = ${organizationId} and (${projectId}::uuid is null or d.project_id = ${projectId}::uuid)`

function toDomain({ keys, ...row }: Omit<DomainRow, 'keys'> & { keys: StoredKey[] }): DomainRow {
  return {
    ...row,
    keys: keys.map((key) => ({ ...key, retiresAt: key.retiresAt === null ? null : new Date(key.retiresAt) })),
  }
}

type StoredRow = Omit<DomainRow, 'keys'> & { keys: StoredKey[] }

/** Undefined when the owner has no such domain. */
export async function findDomain(sql: Sql, owner: DomainOwner, id: string): Promise<DomainRow | undefined> {
  const [row] = await sql<StoredRow[]>`
    select ${columns(sql)} from postel.domains d where d.id = ${id} and ${visibleTo(sql, owner)}`
  return row && toDomain(row)
}

/** Its id; undefined when the owner has no such domain. `name` is canonical. */
export async function findDomainId(sql: Sql, owner: DomainOwner, name: string): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    select d.id from postel.domains d where d.name = ${name} and ${visibleTo(sql, owner)}`
  return row?.id
}

/** A page of the owner's domains, newest first. A cursor is a place, not a row. */
export async function listDomains(
  sql: Sql,
  owner: DomainOwner,
  page: { limit: number; after?: string | undefined; before?: string | undefined },
): Promise<Page<DomainRow>> {
  const { limit, after, before } = page
  const rows = await sql<StoredRow[]>`
    select ${columns(sql)} from postel.domains d
    where ${visibleTo(sql, owner)}
      and ${after === undefined ? sql`true` : sql`d.id < ${after}`}
      and ${before === undefined ? sql`true` : sql`d.id > ${before}`}
    order by d.id ${before === undefined ? sql`desc` : sql`asc`}
    limit ${limit + 1}`
  const shown = rows.slice(0, limit).map(toDomain)
  return { rows: before === undefined ? shown : shown.reverse(), hasMore: rows.length > limit }
}

/** Source IPs of the pools that mail of the owner's domains leaves from. */
export async function sourceAddresses(
  sql: Sql,
  { organizationId, projectId }: DomainOwner,
): Promise<string[]> {
  const rows = await sql<{ address: string }[]>`
    select distinct host(a.address) as address from postel.ip_addresses a
    where a.state <> 'retired' and a.pool_id in (
      select p.pool_id from postel.projects p
      where p.organization_id = ${organizationId} and p.deleted_at is null
        and (${projectId}::uuid is null or p.id = ${projectId}::uuid)
    )
    order by 1`
  return rows.map(({ address }) => address)
}

/**
 * Adds a domain with its keys, which sign once DNS shows them; DNS is looked at soon. Undefined when the organization has a
 * domain of this name, whichever project's.
 */
export async function addDomain(
  sql: Sql,
  owner: DomainOwner,
  domain: NewDomain,
  actor: Actor,
): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    with added as (
      insert into postel.domains as d (
        organization_id, project_id, name, zone, verification_token, return_path, region, sending, receiving, open_tracking,
        click_tracking, tracking_subdomain, tls, next_check_at
      )
      select
        ${owner.organizationId}, ${owner.projectId}::uuid, ${domain.name}, ${domain.zone},
        ${domain.verificationToken}, ${domain.returnPath}, ${domain.region}, ${domain.sending},
        ${domain.receiving}, ${domain.openTracking}, ${domain.clickTracking}, ${domain.trackingSubdomain}, ${domain.tls},
        now() + interval '1 minute'
      on conflict on constraint domains_name_per_organization do nothing
      returning d as domain, d.id, d.name
    ),
    changed as (select id, name from added),
    keys as (${insertKeys(sql, domain.keys)}),
    ${audited(sql, actor, owner.organizationId, 'domain.created', 'domain')}
    select a.id, postel.domain_event(a.domain, 'domain.created', ${JSON.stringify(domain.records)}::text::jsonb)
    from added a`
  return row?.id
}

/** Of the rows of the CTE `changed`. */
function insertKeys(sql: Sql, keys: readonly SealedKey[]): postgres.Fragment {
  return sql`
    insert into postel.dkim_keys (domain_id, selector, algorithm, private_key, public_key, imported, active)
    select c.id, k.selector, k.algorithm, decode(k.private_key, 'hex'), k.public_key, k.imported, false
    from changed c
    cross join json_to_recordset(${JSON.stringify(
      keys.map((key) => ({
        selector: key.selector,
        algorithm: key.algorithm,
        private_key: key.privateKey.toString('hex'),
        public_key: key.publicKey,
        imported: key.imported,
      })),
    )}::text::json) as k (selector text, algorithm text, private_key text, public_key text, imported boolean)`
}

/** False when the owner may not change such a domain. What its return path or its links need is looked for anew. `records` are for the event. */
export async function changeDomain(
  sql: Sql,
  owner: DomainOwner,
  id: string,
  changes: DomainChanges,
  records: unknown,
  actor: Actor,
): Promise<boolean> {
  const given = <Key extends keyof DomainChanges>(key: Key) => changes[key] ?? null
  const tracking = 'trackingSubdomain' in changes
  const rows = await sql`
    with updated as (
      update postel.domains d
      set
        sending = coalesce(${given('sending')}::boolean, d.sending),
        receiving = coalesce(${given('receiving')}::boolean, d.receiving),
        receiving_verified_at = case when coalesce(${given('receiving')}::boolean, d.receiving) then d.receiving_verified_at end,
        open_tracking = coalesce(${given('openTracking')}::boolean, d.open_tracking),
        click_tracking = coalesce(${given('clickTracking')}::boolean, d.click_tracking),
        tls = coalesce(${given('tls')}::text, d.tls),
        tracking_subdomain = case when ${tracking}::boolean then ${given('trackingSubdomain')}::text else d.tracking_subdomain end,
        tracking_verified_at = case
          when ${tracking}::boolean and d.tracking_subdomain is distinct from ${given('trackingSubdomain')}::text then null
          else d.tracking_verified_at
        end,
        return_path = coalesce(${given('returnPath')}::text, d.return_path),
        return_path_verified_at = case
          when d.return_path = coalesce(${given('returnPath')}::text, d.return_path) then d.return_path_verified_at
        end,
        next_check_at = case when d.next_check_at is not null then now() end
      where d.id = ${id} and ${changeableBy(sql, owner)}
      returning d as domain, d.id, d.name
    ),
    changed as (select id, name from updated),
    ${audited(sql, actor, owner.organizationId, 'domain.updated', 'domain', changes)}
    select postel.domain_event(u.domain, 'domain.updated', ${JSON.stringify(records)}::text::jsonb) from updated u`
  return rows.length > 0
}

/**
 * Deletes the domain, its keys and the API keys that could send from it alone, and holds its mail. False when the owner may not
 * change such a domain. `records` are for the event.
 */
export async function deleteDomain(
  sql: Sql,
  owner: DomainOwner,
  id: string,
  records: unknown,
  actor: Actor,
): Promise<boolean> {
  const rows = await sql<{ name: string }[]>`
    with removed as (
      delete from postel.domains d
      where d.id = ${id} and ${changeableBy(sql, owner)}
      returning d as domain, d.id, d.name, d.organization_id
    ),
    changed as (select id, name from removed),
    revoked as (
      update postel.api_keys k set domain_id = null, revoked_at = coalesce(k.revoked_at, now())
      from removed r
      where k.domain_id = r.id
    ),
    ${audited(sql, actor, owner.organizationId, 'domain.deleted', 'domain')}
    select r.id, r.name, postel.domain_event(r.domain, 'domain.deleted', ${JSON.stringify(records)}::text::jsonb)
    from removed r`
  const [row] = rows
  // Not in that statement, which still sees the domain
  if (row) await holdUnverified(sql, owner.organizationId, row.name)
  return row !== undefined
}

/** Holds mail that is to be signed by a domain, unless it is verified; see postel.hold_unverified. */
export async function holdUnverified(sql: Sql, organizationId: string, name: string): Promise<void> {
  await sql`select postel.hold_unverified(${organizationId}, ${name})`
}

/**
 * Adds keys that sign once DNS shows them, in the place of those of their algorithms that DNS has never shown. `taken`: the
 * domain has a key of this selector. Undefined when the owner may not change such a domain.
 */
export async function addDkimKeys(
  sql: Sql,
  owner: DomainOwner,
  id: string,
  keys: readonly SealedKey[],
  action: 'domain.dkim_rotated' | 'domain.dkim_imported',
  actor: Actor,
): Promise<'added' | 'taken' | undefined> {
  const selectors = keys.map(({ selector }) => selector)
  const [row] = await sql<{ taken: boolean }[]>`
    with found as (
      select d.id, d.name, exists (
        select from postel.dkim_keys k
        where k.domain_id = d.id and k.selector = any (${selectors}::text[])
      ) as taken
      from postel.domains d
      where d.id = ${id} and ${changeableBy(sql, owner)}
      for update
    ),
    changed as (
      update postel.domains d
      set next_check_at = now()
      from found f
      where d.id = f.id and not f.taken
      returning d.id, d.name
    ),
    replaced as (
      delete from postel.dkim_keys k
      using changed c
      where k.domain_id = c.id and not k.active and k.retires_at is null
        and k.algorithm = any (${keys.map(({ algorithm }) => algorithm)}::text[])
    ),
    keys as (${insertKeys(sql, keys)}),
    ${audited(sql, actor, owner.organizationId, action, 'domain', { selectors })}
    select taken from found`
  return row && (row.taken ? 'taken' : 'added')
}

/** A domain whose DNS is to be looked at, and when that was decided. */
export type DomainToCheck = { domain: DomainRow; startedAt: string }

/** The domain as it is now; undefined when the owner has no such domain. */
export async function startDomainCheck(
  sql: Sql,
  owner: DomainOwner,
  id: string,
): Promise<DomainToCheck | undefined> {
  const [row] = await sql<(StoredRow & { startedAt: string })[]>`
    select ${columns(sql)}, clock_timestamp()::text as "startedAt"
    from postel.domains d where d.id = ${id} and ${visibleTo(sql, owner)}`
  return row && toCheck(row)
}

/** Takes at most `limit` domains that are due; they are due again in ten minutes if nothing is recorded. */
export async function takeDueDomains(sql: Sql, limit: number): Promise<DomainToCheck[]> {
  const rows = await sql<(StoredRow & { startedAt: string })[]>`
    with due as (
      select d.id from postel.domains d
      where d.next_check_at <= now()
      order by d.next_check_at, d.id
      limit ${limit}
      for update skip locked
    ),
    taken as (
      update postel.domains t set next_check_at = now() + interval '10 minutes'
      from due where t.id = due.id
      returning t.id
    )
    select ${columns(sql)}, clock_timestamp()::text as "startedAt"
    from postel.domains d
    join taken t on t.id = d.id`
  return rows.map(toCheck)
}

/** See postel.record_domain_check; undefined when the look said nothing. */
export async function recordDomainCheck(
  sql: Sql,
  { domain, startedAt }: DomainToCheck,
  check: unknown,
): Promise<DomainStatus | undefined> {
  const [row] = await sql<{ status: DomainStatus | null }[]>`
    select postel.record_domain_check(
      ${domain.id}, ${domain.verificationToken}, ${startedAt}::timestamptz, ${JSON.stringify(check)}::text::jsonb
    ) as status`
  return row?.status ?? undefined
}

function toCheck({ startedAt, ...row }: StoredRow & { startedAt: string }): DomainToCheck {
  return { domain: toDomain(row), startedAt }
}
