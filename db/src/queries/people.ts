/** People: who they are, where they belong, and what the command line does with them. */
import type { Sql } from '../client.ts'
import { sqlState } from '../errors.ts'
import { type Actor, audited } from './audit.ts'

export type MemberRole = 'read_only' | 'maintainer' | 'admin'

export type Person = {
  id: string
  name: string
  email: string
  platformAdmin: boolean
  memberships: { organizationId: string; organizationName: string; role: MemberRole }[]
}

/** A person with all memberships, as they are now; undefined when there is none of this id or it is blocked. */
export async function findPerson(sql: Sql, id: string): Promise<Person | undefined> {
  const [row] = await sql<Person[]>`
    select
      u.id, u.name, u.email, u.platform_admin as "platformAdmin",
      (
        select coalesce(
          jsonb_agg(
            jsonb_build_object('organizationId', o.id, 'organizationName', o.name, 'role', m.role) order by o.id
          ), '[]')
        from postel.members m
        join postel.organizations o on o.id = m.organization_id
        where m.user_id = u.id
      ) as memberships
    from postel.users u
    where u.id = ${id} and not u.blocked`
  return row
}

export async function isBlocked(sql: Sql, id: string): Promise<boolean> {
  const [row] = await sql<{ blocked: boolean }[]>`select u.blocked from postel.users u where u.id = ${id}`
  return row?.blocked ?? false
}

/** Whether somebody has invited this address and waits for an answer. */
export async function isInvited(sql: Sql, email: string): Promise<boolean> {
  const [row] = await sql<{ invited: boolean }[]>`
    select exists (
      select from postel.invitations i
      where i.email = ${email.toLowerCase()} and i.accepted_at is null and i.expires_at > now()
    ) as invited`
  return row!.invited
}

/** Notes what a person did to the own account, e.g. `person.password_changed`. */
export async function noteOfPerson(sql: Sql, actor: Actor, action: string): Promise<void> {
  await sql`
    with changed as (
      select u.id, u.email as name from postel.users u where u.id = ${actor.id}
    ), ${audited(sql, actor, null, action, 'person')}
    select id from changed`
}

/** The organization and project that mail of the platform leaves through; undefined when none may send from the domain. */
export async function systemProject(
  sql: Sql,
  domain: string,
  project: string | undefined,
): Promise<{ organizationId: string; projectId: string } | undefined> {
  try {
    const [row] = await sql<{ organizationId: string; projectId: string }[]>`
      select s.organization_id as "organizationId", s.project_id as "projectId"
      from postel.sender_project(${domain}, ${project ?? null}) as s`
    return row
  } catch (error) {
    // insufficient_privilege: sender_project says that no project may
    if (sqlState(error) === '42501') return undefined
    throw error
  }
}

/** What postel.send_notice reads; null removes it. */
export async function writeSystemSettings(
  sql: Sql,
  settings: Readonly<Record<'mail_from' | 'mail_project', string | null>>,
): Promise<void> {
  const given = Object.entries(settings).filter(([, value]) => value !== null)
  await sql`
    with gone as (
      delete from postel.system_settings s
      where s.key = any (${Object.keys(settings)}::text[]) and s.key <> all (${given.map(([key]) => key)}::text[])
    )
    insert into postel.system_settings (key, value)
    select * from unnest(${given.map(([key]) => key)}::text[], ${given.map(([, value]) => value!)}::text[])
    on conflict (key) do update set value = excluded.value where system_settings.value <> excluded.value`
}

export type Operator = { email: string; name: string; blocked: boolean; createdAt: string }

/** Everybody who may see and change everything. */
export function listOperators(sql: Sql): Promise<Operator[]> {
  return sql<Operator[]>`
    select u.email, u.name, u.blocked, u.created_at::text as "createdAt"
    from postel.users u
    where u.platform_admin
    order by u.id`
}

/**
 * Makes the person of this address an administrator of the platform, new or not. `passwordHash` becomes the password; it
 * is needed for a new one only, and ends the sessions of one who is known.
 */
export async function makeOperator(
  sql: Sql,
  actor: Actor,
  person: { email: string; name: string; passwordHash: string | null },
): Promise<'made' | 'changed'> {
  const { email, name, passwordHash } = person
  const [row] = await sql<{ made: boolean }[]>`
    with changed as (
      insert into postel.users (name, email, email_verified, platform_admin)
      values (${name}, ${email.toLowerCase()}, true, true)
      on conflict on constraint users_email_unique do update
        set platform_admin = true, email_verified = true, updated_at = now()
      returning id, email as name, xmax = 0 as made
    ),
    ended as (
      delete from postel.sessions s using changed c where s.user_id = c.id and ${passwordHash}::text is not null
    ),
    set_password as (
      insert into postel.accounts (user_id, account_id, provider_id, password)
      select c.id, c.id::text, 'credential', ${passwordHash}::text from changed c where ${passwordHash}::text is not null
      on conflict on constraint accounts_identity_once do update set password = excluded.password, updated_at = now()
    ),
    ${audited(sql, actor, null, 'person.made_operator', 'person')}
    select made from changed`
  return row!.made ? 'made' : 'changed'
}

/** Whether somebody of this address has an account. */
export async function isKnownEmail(sql: Sql, email: string): Promise<boolean> {
  const [row] = await sql<{ known: boolean }[]>`
    select exists (select from postel.users u where u.email = ${email.toLowerCase()}) as known`
  return row!.known
}

/** Blocks a person, whose sessions end with it, or lets one in again; false when there is nobody of this address. */
export async function setBlocked(sql: Sql, actor: Actor, email: string, blocked: boolean): Promise<boolean> {
  const rows = await sql`
    with changed as (
      update postel.users set blocked = ${blocked}, updated_at = now()
      where email = ${email.toLowerCase()}
      returning id, email as name
    ),
    ended as (delete from postel.sessions s using changed c where s.user_id = c.id and ${blocked}),
    ${audited(sql, actor, null, blocked ? 'person.blocked' : 'person.unblocked', 'person')}
    select id from changed`
  return rows.length > 0
}

/** A key of the platform, which names organization and project where one is needed. `hash`: see hashSecret. */
export async function addPlatformKey(
  sql: Sql,
  actor: Actor,
  key: { name: string; prefix: string; hash: Buffer },
): Promise<void> {
  await sql`
    with changed as (
      insert into postel.api_keys (name, prefix, hash)
      values (${key.name}, ${key.prefix}, ${key.hash})
      returning id, name
    ), ${audited(sql, actor, null, 'api_key.created', 'api_key')}
    select id from changed`
}

/** What opens one-time codes, as it is encrypted. */
export type SealedTwoFactor = { id: string; secret: string; backupCodes: string }

/** Some of them in the order of their ids, behind `after`. */
export function listTwoFactors(sql: Sql, after: string, limit: number): Promise<SealedTwoFactor[]> {
  return sql<SealedTwoFactor[]>`
    select t.id, t.secret, t.backup_codes as "backupCodes"
    from postel.two_factors t
    where t.id > ${after}
    order by t.id
    limit ${limit}`
}

/** Writes them anew, unless they were changed meanwhile. */
export async function replaceTwoFactor(sql: Sql, old: SealedTwoFactor, anew: SealedTwoFactor): Promise<void> {
  await sql`
    update postel.two_factors set secret = ${anew.secret}, backup_codes = ${anew.backupCodes}
    where id = ${old.id} and secret = ${old.secret} and backup_codes = ${old.backupCodes}`
}
