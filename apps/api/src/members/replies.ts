/** What the endpoints of members and invitations answer. */
import { z } from 'zod'
import { memberRole } from '../people/replies.ts'
import { id, listOf, time } from '../shapes.ts'

export const memberReply = z
  .object({
    object: z.literal('member'),
    user_id: id,
    name: z.string(),
    email: z.string(),
    role: memberRole,
    two_factor: z
      .boolean()
      .meta({ description: 'Whether sign-in asks for a one-time code besides the password.' }),
    blocked: z.boolean(),
    created_at: time,
  })
  .meta({ id: 'Member' })

export const memberListReply = listOf(memberReply)

export const changedMemberReply = z.object({ object: z.literal('member'), user_id: id })
export const deletedMemberReply = z.object({
  object: z.literal('member'),
  user_id: id,
  deleted: z.literal(true),
})

export const invitationReply = z
  .object({
    object: z.literal('invitation'),
    id,
    email: z.string(),
    role: memberRole,
    invited_by: z.string(),
    created_at: time,
    expires_at: time,
  })
  .meta({ id: 'Invitation' })

export const invitationListReply = listOf(invitationReply)

export const deletedInvitationReply = z.object({
  object: z.literal('invitation'),
  id,
  deleted: z.literal(true),
})

export const joinedReply = z.object({
  object: z.literal('member'),
  organization_id: id,
  user_id: id,
  role: memberRole,
})
