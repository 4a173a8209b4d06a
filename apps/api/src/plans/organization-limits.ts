/** GET and PATCH /organizations/{id}/limits: its plan, and its own limits over that. */
import { changeLimits, findLimits } from '@postel/db/queries/plans'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { orRefuse } from '../refusals.ts'
import { asLimits, limitFields, showLimits } from './limit-fields.ts'
import { limitsReply } from './replies.ts'

const limitsChange = z
  .object(
    {
      plan_id: z.guid({ error: 'must be the id of a plan or null.' }).nullable().optional(),
      ...limitFields,
      trusted: z.boolean({ error: 'must be true or false.' }).optional(),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'UpdateOrganizationLimitsRequest' })

export const getOrganizationLimits = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/organizations/{id}/limits',
    id: 'getOrganizationLimits',
    tag: 'Plans',
    summary: "Show an organization's plan and limits",
    access: 'operate',
    params: uuidPath,
    reply: limitsReply,
    problems: [404],
    serve: ({ params: { id } }) => show(sql, id),
  })

export const changeOrganizationLimits = ({ sql }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/organizations/{id}/limits',
    id: 'updateOrganizationLimits',
    tag: 'Plans',
    summary: "Change an organization's plan and limits",
    description: 'They hold everywhere within five seconds.',
    access: 'operate',
    params: uuidPath,
    body: bodyOf(limitsChange),
    reply: limitsReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id }, body }) => {
      const change = { planId: body.plan_id, trusted: body.trusted, ...asLimits(body) }
      const work = changeLimits(sql, caller.actor, id, change)
      if (!(await orRefuse(work, { referenced: 'There is no such plan.' }))) throw noOrganization()
      return show(sql, id)
    },
  })

async function show(sql: ApiContext['sql'], organizationId: string) {
  const limits = await findLimits(sql, organizationId)
  if (!limits) throw noOrganization()
  return {
    object: 'limits' as const,
    organization_id: limits.id,
    plan_id: limits.planId,
    ...showLimits(limits),
    trusted: limits.trusted,
    effective: showLimits(limits.effective),
  }
}

const noOrganization = () => new Problem('not_found', 'Organization not found.')
