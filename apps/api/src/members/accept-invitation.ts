/** POST /invitations/accept: whoever has the link joins, with the account of the invited address or a new one. */
import { hashSecret } from '@postel/db/queries/credentials'
import { acceptInvitation as accept, findInvitation } from '@postel/db/queries/members'
import { findPerson } from '@postel/db/queries/people'
import { z } from 'zod'
import { clientAddress } from '../client-address.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { bodyOf } from '../parse-with.ts'
import { hashPassword, passwordProblem } from '../people/passwords.ts'
import { fieldProblem, Problem } from '../problem.ts'
import { joinedReply } from './replies.ts'

const acceptRequest = z.object({
  token: z.string({ error: 'must be the token of the link.' }).min(1).max(200),
  name: z
    .string({ error: 'must be a text.' })
    .trim()
    .min(1, { error: 'must not be empty.' })
    .max(100, { error: 'must have at most 100 characters.' })
    .regex(/^\P{Cc}*$/u, { error: 'must not contain control characters.' })
    .optional(),
  password: z.string({ error: 'must be a text.' }).optional(),
})

export const acceptInvitation = ({ sql, people }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/invitations/accept',
    id: 'acceptInvitation',
    tag: 'Members',
    summary: 'Join an organization',
    description:
      'With the session of the invited address, or, when nobody has an account with it, with a name and a password for a new one.',
    access: 'anyone',
    body: bodyOf(acceptRequest),
    reply: joinedReply,
    problems: [401, 403, 404, 409],
    serve: async ({ body: { token, name, password }, request }) => {
      const userId = await people.sessionOf(request)
      const person = typeof userId === 'string' ? await findPerson(sql, userId) : undefined
      const tokenHash = hashSecret(token)
      const invitation = await findInvitation(sql, tokenHash)
      if (!invitation) throw noInvitation()

      let account: { name: string; passwordHash: string } | null = null
      if (person) {
        if (person.email !== invitation.email)
          throw new Problem(
            'invalid_permission',
            'The invitation is for another address than that of your account.',
          )
      } else if (invitation.hasAccount)
        throw new Problem('missing_api_key', 'The invited address has an account. Sign in to it first.')
      else {
        if (name === undefined) throw new Problem('missing_required_field', 'Missing `name` field.')
        if (password === undefined) throw new Problem('missing_required_field', 'Missing `password` field.')
        const problem = passwordProblem(password, invitation.email)
        if (problem !== undefined) throw fieldProblem({ field: 'password', problem })
        account = { name, passwordHash: await hashPassword(password) }
      }

      const joined = await accept(sql, clientAddress(request), tokenHash, account)
      if (!joined) throw noInvitation()
      return {
        object: 'member',
        organization_id: joined.organizationId,
        user_id: joined.userId,
        role: joined.role,
      }
    },
  })

const noInvitation = () =>
  new Problem(
    'not_found',
    'There is no such invitation, or it was used, taken back, or is older than seven days.',
  )
