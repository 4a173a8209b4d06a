/** /organizations/{id}/moderation: operators stop an organization, or let it go on. */
import { findModeration, moderate } from '@postel/db/queries/moderation'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { reason } from '../operator-fields.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { moderationReply, statuses } from './replies.ts'

export function moderationEndpoints(context: ApiContext): Endpoint[] {
  return [getModeration(context), changeModeration(context)]
}

const moderationChange = z
  .object(
    {
      status: z.enum(statuses, { error: `must be one of ${statuses.join(', ')}.` }).meta({
        description:
          'no_sending: mail is accepted and held. no_receiving: no mail is accepted. frozen: no mail is accepted or sent, and nothing can be changed. active: what was held for this is sent.',
      }),
      reason: reason.optional().meta({ description: 'For the organization, and the audit log.' }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'ModerateOrganizationRequest' })

const getModeration = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/organizations/{id}/moderation',
    id: 'getModeration',
    tag: 'Moderation',
    summary: 'Show what an organization may do, and how its mail ends',
    access: 'operate',
    params: uuidPath,
    reply: moderationReply,
    problems: [404],
    serve: ({ params: { id } }) => show(sql, id),
  })

const changeModeration = ({ sql }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/organizations/{id}/moderation',
    id: 'updateModeration',
    tag: 'Moderation',
    summary: 'Stop an organization, or let it go on',
    description:
      'New mail follows within five seconds; what is there already is held or released by then, or in the background where it is much.',
    access: 'operate',
    params: uuidPath,
    body: bodyOf(moderationChange),
    reply: moderationReply,
    problems: [404],
    serve: async ({ caller, params: { id }, body }) => {
      if (!(await moderate(sql, caller.actor, id, body.status, body.reason ?? null))) throw noOrganization()
      return show(sql, id)
    },
  })

async function show(sql: ApiContext['sql'], organizationId: string) {
  const found = await findModeration(sql, organizationId)
  if (!found) throw noOrganization()
  const { id, status, reason, since, trusted, recipients, invalid, complained } = found
  return {
    object: 'moderation' as const,
    organization_id: id,
    status,
    reason,
    since,
    trusted,
    last_day: { recipients, invalid, complained },
  }
}

const noOrganization = () => new Problem('not_found', 'Organization not found.')
