/** GET /members, PATCH and DELETE /members/{user_id}. */
import {
  changeRole,
  type Member,
  type MemberChange,
  listMembers as readMembers,
  removeMember,
  roleOf,
} from '@postel/db/queries/members'
import { z } from 'zod'
import { mayUse, tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { memberRole } from '../people/replies.ts'
import { Problem } from '../problem.ts'
import { changedMemberReply, deletedMemberReply, memberListReply } from './replies.ts'

const path = z.object({ user_id: z.guid({ error: 'must be a valid UUID.' }) })

export const listMembers = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/members',
    id: 'listMembers',
    tag: 'Members',
    summary: 'List the people of the organization',
    access: 'read',
    query: uuidPage,
    reply: memberListReply,
    serve: async ({ caller, query }) => {
      const { rows, hasMore } = await readMembers(sql, tenantOf(caller).organizationId, oneCursor(query))
      return { object: 'list', has_more: hasMore, data: rows.map(shown) }
    },
  })

export const updateMember = ({ sql }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/members/{user_id}',
    id: 'updateMember',
    tag: 'Members',
    summary: 'Change a role',
    description: 'It holds from the next request of that person on. The last admin stays one.',
    access: 'administer',
    params: path,
    body: bodyOf(z.object({ role: memberRole })),
    reply: changedMemberReply,
    problems: [404, 409],
    serve: async ({ caller, params, body }) => {
      const { organizationId } = tenantOf(caller)
      refuse(await changeRole(sql, caller.actor, organizationId, params.user_id, body.role))
      return { object: 'member', user_id: params.user_id }
    },
  })

export const deleteMember = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/members/{user_id}',
    id: 'deleteMember',
    tag: 'Members',
    summary: 'Remove a person, or leave',
    description: 'Admins remove anybody, everybody may leave; but not the last admin. The account stays.',
    access: 'read',
    params: path,
    reply: deletedMemberReply,
    problems: [404, 409],
    serve: async ({ caller, params }) => {
      const { organizationId } = tenantOf(caller)
      const leaves = caller.actor.kind === 'person' && caller.actor.id === params.user_id
      if (!leaves && !mayUse(caller.role, 'administer')) {
        if ((await roleOf(sql, organizationId, params.user_id)) === undefined) refuse('unknown')
        throw new Problem('invalid_permission', 'Only admins remove others.')
      }
      refuse(await removeMember(sql, caller.actor, organizationId, params.user_id))
      return { object: 'member', user_id: params.user_id, deleted: true }
    },
  })

function refuse(change: MemberChange): void {
  if (change === 'unknown') throw new Problem('not_found', 'Member not found.')
  if (change === 'last_admin')
    throw new Problem(
      'resource_locked',
      'The last admin of an organization stays. Make somebody else an admin first.',
    )
}

function shown({ userId, name, email, role, twoFactor, blocked, createdAt }: Member) {
  return {
    object: 'member' as const,
    user_id: userId,
    name,
    email,
    role,
    two_factor: twoFactor,
    blocked,
    created_at: createdAt,
  }
}
