/** Members of organizations and invitations to them. An organization that has an admin never loses the last one. */
import type { Sql } from '../client.ts'
import { type Actor, audited } from './audit.ts'
import { type Cursor, cutPage, type Page } from './emails.ts'
import type { MemberRole } from './people.ts'

/** Times are texts in UTC with microseconds. */
export type Member = {
  userId: string
  name: string
  email: string
  role: MemberRole
  /** Whether a one-time code is asked for besides the password. */
  twoFactor: boolean
  blocked: boolean
  createdAt: string
}

export type Invitation = {
  id: string
  email: string
  role: MemberRole
  invitedBy: string
  createdAt: string
  expiresAt: string
}

/** What became of a change of a member. */
export type MemberChange = 'changed' | 'unknown' | 'last_admin'

const openInvitationsMax = 200

/** A page of an organization's members, newest people first. */
export async function listMembers(
  sql: Sql,
  organizationId: string,
  page: { limit: number } & Cursor,
): Promise<Page<Member>> {
  const rows = await sql<Member[]>`
    select
      u.id as "userId", u.name, u.email, m.role, u.two_factor_enabled as "twoFactor", u.blocked,
      m.created_at::text as "createdAt"
    from postel.members m
    join postel.users u on u.id = m.user_id
    where m.organization_id = ${organizationId}
      ${page.after ? sql`and m.user_id < ${page.after}` : sql``}
      ${page.before ? sql`and m.user_id > ${page.before}` : sql``}
    order by m.user_id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

/** The role of a person in an organization; undefined when it does not belong to it. */
export async function roleOf(
  sql: Sql,
  organizationId: string,
  userId: string,
): Promise<MemberRole | undefined> {
  const [row] = await sql<{ role: MemberRole }[]>`
    select m.role from postel.members m where m.organization_id = ${organizationId} and m.user_id = ${userId}`
  return row?.role
}

/** Gives a member another role. */
export async function changeRole(
  sql: Sql,
  actor: Actor,
  organizationId: string,
  userId: string,
  role: MemberRole,
): Promise<MemberChange> {
  const rows = await sql`
    with ${adminsOf(sql, organizationId)},
    changed as (
      update postel.members m set role = ${role}
      from postel.users u
      where m.organization_id = ${organizationId} and m.user_id = ${userId} and u.id = m.user_id
        and (${role} = 'admin' or ${anotherAdmin(sql)})
      returning m.user_id as id, u.email as name
    ),
    ${audited(sql, actor, organizationId, 'member.updated', 'member', { role })}
    select id from changed`
  return outcome(sql, organizationId, userId, rows.length)
}

/** Takes a member out of the organization; the account stays. */
export async function removeMember(
  sql: Sql,
  actor: Actor,
  organizationId: string,
  userId: string,
): Promise<MemberChange> {
  const rows = await sql`
    with ${adminsOf(sql, organizationId)},
    changed as (
      delete from postel.members m
      using postel.users u
      where m.organization_id = ${organizationId} and m.user_id = ${userId} and u.id = m.user_id
        and ${anotherAdmin(sql)}
      returning m.user_id as id, u.email as name
    ),
    ${audited(sql, actor, organizationId, 'member.deleted', 'member')}
    select id from changed`
  return outcome(sql, organizationId, userId, rows.length)
}

/** Two who take each other's rights at one moment wait for each other here, and the second finds one admin less. */
function adminsOf(sql: Sql, organizationId: string) {
  return sql`admins as materialized (
    select a.user_id from postel.members a
    where a.organization_id = ${organizationId} and a.role = 'admin'
    order by a.user_id
    for update
  )`
}

/** Of the row `m`: it is no admin, or not the only one. */
function anotherAdmin(sql: Sql) {
  return sql`(m.role <> 'admin' or exists (select from admins a where a.user_id <> m.user_id))`
}

async function outcome(
  sql: Sql,
  organizationId: string,
  userId: string,
  changed: number,
): Promise<MemberChange> {
  if (changed > 0) return 'changed'
  return (await roleOf(sql, organizationId, userId)) === undefined ? 'unknown' : 'last_admin'
}

/** A page of the invitations that wait for an answer. */
export async function listInvitations(
  sql: Sql,
  organizationId: string,
  page: { limit: number } & Cursor,
): Promise<Page<Invitation>> {
  const rows = await sql<Invitation[]>`
    select ${invitationColumns(sql)}
    from postel.invitations i
    where i.organization_id = ${organizationId} and i.accepted_at is null and i.expires_at > now()
      ${page.after ? sql`and i.id < ${page.after}` : sql``}
      ${page.before ? sql`and i.id > ${page.before}` : sql``}
    order by i.id ${page.before ? sql`asc` : sql`desc`}
    limit ${page.limit + 1}`
  return cutPage(rows, page)
}

function invitationColumns(sql: Sql) {
  return sql`
    i.id, i.email, i.role, i.invited_by as "invitedBy", i.created_at::text as "createdAt", i.expires_at::text as "expiresAt"`
}

/**
 * Invites an address. An earlier invitation of the same address is void then, and what has expired is gone. `tokenHash`:
 * see hashSecret.
 */
export async function invite(
  sql: Sql,
  actor: Actor,
  organizationId: string,
  invitation: { email: string; role: MemberRole; tokenHash: Buffer; seconds: number },
): Promise<Invitation | 'member' | 'too_many'> {
  const email = invitation.email.toLowerCase()
  const { role, tokenHash, seconds } = invitation
  const [state] = await sql<{ member: boolean; open: number }[]>`
    select
      exists (
        select from postel.members m join postel.users u on u.id = m.user_id
        where m.organization_id = ${organizationId} and u.email = ${email}
      ) as member,
      (
        select count(*)::int from postel.invitations i
        where i.organization_id = ${organizationId} and i.accepted_at is null and i.expires_at > now() and i.email <> ${email}
      ) as open`
  if (state!.member) return 'member'
  if (state!.open >= openInvitationsMax) return 'too_many'
  const [row] = await sql<Invitation[]>`
    with void as (
      delete from postel.invitations i
      where i.organization_id = ${organizationId} and i.accepted_at is null and (i.email = ${email} or i.expires_at <= now())
    ),
    added as (
      insert into postel.invitations (organization_id, email, role, token_hash, invited_by, expires_at)
      values (
        ${organizationId}, ${email}, ${role}, ${tokenHash}, ${actor.name}, now() + make_interval(secs => ${seconds})
      )
      returning *
    ),
    changed as (select a.id, a.email as name from added a),
    ${audited(sql, actor, organizationId, 'invitation.created', 'invitation', { role })}
    select ${invitationColumns(sql)} from added i`
  return row!
}

/** Takes an invitation back; false when the organization has none of this id that waits. */
export async function withdrawInvitation(
  sql: Sql,
  actor: Actor,
  organizationId: string,
  id: string,
): Promise<boolean> {
  const rows = await sql`
    with changed as (
      delete from postel.invitations
      where id = ${id} and organization_id = ${organizationId} and accepted_at is null
      returning id, email as name
    ), ${audited(sql, actor, organizationId, 'invitation.deleted', 'invitation')}
    select id from changed`
  return rows.length > 0
}

/** The invitation behind a token, as long as it can be accepted. */
export async function findInvitation(
  sql: Sql,
  tokenHash: Buffer,
): Promise<
  (Invitation & { organizationId: string; organizationName: string; hasAccount: boolean }) | undefined
> {
  const [row] = await sql<
    (Invitation & { organizationId: string; organizationName: string; hasAccount: boolean })[]
  >`
    select
      ${invitationColumns(sql)}, i.organization_id as "organizationId", o.name as "organizationName",
      exists (select from postel.users u where u.email = i.email) as "hasAccount"
    from postel.invitations i
    join postel.organizations o on o.id = i.organization_id
    where i.token_hash = ${tokenHash} and i.accepted_at is null and i.expires_at > now()`
  return row
}

export type Joined = { organizationId: string; userId: string; role: MemberRole }

/**
 * Uses a token up: whoever has it joins, as the account of the invited address, which is made with `person` when there is
 * none. Undefined when the token has been used, or the account was made (or is not there) meanwhile. Who belongs to the
 * organization already keeps the role.
 */
export async function acceptInvitation(
  sql: Sql,
  address: string | null,
  tokenHash: Buffer,
  person: { name: string; passwordHash: string } | null,
): Promise<Joined | undefined> {
  const [row] = await sql<Joined[]>`
    with invitation as materialized (
      select i.id, i.organization_id, i.email, i.role from postel.invitations i
      where i.token_hash = ${tokenHash} and i.accepted_at is null and i.expires_at > now()
      for update
    ),
    known as materialized (
      select u.id from postel.users u join invitation i on u.email = i.email where not u.blocked
    ),
    made as (
      insert into postel.users (name, email, email_verified)
      select ${person?.name ?? ''}, i.email, true from invitation i where ${person !== null}
      on conflict on constraint users_email_unique do nothing
      returning id
    ),
    with_password as (
      insert into postel.accounts (user_id, account_id, provider_id, password)
      select m.id, m.id::text, 'credential', ${person?.passwordHash ?? ''} from made m
    ),
    joining as materialized (
      select m.id from made m
      union all
      select k.id from known k where ${person === null}
    ),
    accepted as (
      update postel.invitations i set accepted_at = now()
      from invitation v cross join joining j
      where i.id = v.id
      returning i.organization_id, i.email, i.role, j.id as user_id
    ),
    joined as (
      insert into postel.members (organization_id, user_id, role)
      select a.organization_id, a.user_id, a.role from accepted a
      on conflict on constraint members_pkey do update set role = members.role
      returning organization_id, user_id, role
    ),
    logged as (
      insert into postel.audit_log (
        organization_id, actor_kind, actor_id, actor_name, address, action, target_kind, target_id, target_name
      )
      select
        a.organization_id, 'person', a.user_id::text, a.email, ${address}::inet, 'member.created', 'member',
        a.user_id::text, a.email
      from accepted a
    )
    select j.organization_id as "organizationId", j.user_id as "userId", j.role from joined j`
  return row
}
