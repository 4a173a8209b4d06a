/** POST, GET /invitations and DELETE /invitations/{id}. */
import { randomBytes } from 'node:crypto'
import { hashSecret } from '@postel/db/queries/credentials'
import {
  type Invitation,
  invite,
  listInvitations as readInvitations,
  withdrawInvitation,
} from '@postel/db/queries/members'
import { findOrganization } from '@postel/db/queries/organizations'
import { isProblem, parseAddressList } from '@postel/mail/address'
import { z } from 'zod'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage, uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { invitationMail, invitationSeconds } from '../people/mails.ts'
import { memberRole } from '../people/replies.ts'
import { Problem } from '../problem.ts'
import { deletedInvitationReply, invitationListReply, invitationReply } from './replies.ts'

const invitationRequest = z.object({
  email: z
    .string({ error: 'must be an e-mail address.' })
    .max(254, { error: 'must be an e-mail address.' })
    .refine(isPlainAddress, { error: 'must be an e-mail address like `ann@example.com`.' }),
  role: memberRole.default('read_only'),
})

function isPlainAddress(text: string): boolean {
  const list = parseAddressList(text)
  return (
    !isProblem(list) &&
    list.mailboxes.length === 1 &&
    list.mailboxes[0]!.address.toLowerCase() === text.toLowerCase()
  )
}

export const createInvitation = ({ sql, people, publicUrl }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/invitations',
    id: 'createInvitation',
    tag: 'Members',
    summary: 'Invite somebody',
    description:
      'Sends a link that works once, for seven days. An earlier invitation of the address is void then.',
    access: 'administer',
    body: bodyOf(invitationRequest),
    reply: invitationReply,
    problems: [404, 409],
    serve: async ({ caller, body: { email, role } }) => {
      const { organizationId } = tenantOf(caller)
      await people.systemMail.sender()
      const organization = await findOrganization(sql, { organizationId }, organizationId)
      if (!organization) throw new Problem('not_found', 'Organization not found.')
      const token = randomBytes(32).toString('base64url')
      const invitation = await invite(sql, caller.actor, organizationId, {
        email,
        role,
        tokenHash: hashSecret(token),
        seconds: invitationSeconds,
      })
      if (invitation === 'member')
        throw new Problem(
          'resource_locked',
          'Somebody with this address belongs to the organization already.',
        )
      if (invitation === 'too_many')
        throw new Problem('resource_locked', 'Too many invitations wait for an answer. Take some back first.')
      // In the fragment, which no server and no log ever sees
      const url = `${publicUrl}/accept-invitation#token=${token}`
      try {
        await people.systemMail.send(
          invitationMail(invitation.email, organization.name, caller.actor.name, url),
        )
      } catch (error) {
        await withdrawInvitation(sql, caller.actor, organizationId, invitation.id)
        throw error
      }
      return shown(invitation)
    },
  })

export const listInvitations = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/invitations',
    id: 'listInvitations',
    tag: 'Members',
    summary: 'List the invitations that wait for an answer',
    access: 'read',
    query: uuidPage,
    reply: invitationListReply,
    serve: async ({ caller, query }) => {
      const { rows, hasMore } = await readInvitations(sql, tenantOf(caller).organizationId, oneCursor(query))
      return { object: 'list', has_more: hasMore, data: rows.map(shown) }
    },
  })

export const deleteInvitation = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/invitations/{id}',
    id: 'deleteInvitation',
    tag: 'Members',
    summary: 'Take an invitation back',
    access: 'administer',
    params: uuidPath,
    reply: deletedInvitationReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const gone = await withdrawInvitation(sql, caller.actor, tenantOf(caller).organizationId, id)
      if (!gone) throw new Problem('not_found', 'Invitation not found.')
      return { object: 'invitation', id, deleted: true }
    },
  })

function shown({ id, email, role, invitedBy, createdAt, expiresAt }: Invitation) {
  return {
    object: 'invitation' as const,
    id,
    email,
    role,
    invited_by: invitedBy,
    created_at: createdAt,
    expires_at: expiresAt,
  }
}
