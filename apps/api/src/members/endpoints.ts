/** /members and /invitations: the people of an organization. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { acceptInvitation } from './accept-invitation.ts'
import { createInvitation, deleteInvitation, listInvitations } from './invitations.ts'
import { deleteMember, listMembers, updateMember } from './members.ts'

export function memberEndpoints(context: ApiContext): Endpoint[] {
  return [
    listMembers(context),
    updateMember(context),
    deleteMember(context),
    createInvitation(context),
    listInvitations(context),
    deleteInvitation(context),
    acceptInvitation(context),
  ]
}
