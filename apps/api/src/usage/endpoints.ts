/** /usage: what was accepted, by project and day, and what is left of the month's quota. */
import { readUsage } from '@postel/db/queries/usage'
import { z } from 'zod'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { usageReply } from './replies.ts'

export function usageEndpoints(context: ApiContext): Endpoint[] {
  return [getUsage(context)]
}

const query = z.object({
  month: z
    .string({ error: 'must be a month like 2026-11.' })
    .regex(/^20\d\d-(0[1-9]|1[0-2])$/, { error: 'must be a month like 2026-11.' })
    .optional()
    .meta({ description: 'Default: the current one, UTC.' }),
})

const getUsage = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/usage',
    id: 'getUsage',
    tag: 'Usage',
    summary: 'What was sent in a month, and what is left of its quota',
    description:
      'Counted in recipients of accepted emails. Test mail and delivery reports are not counted. The quota is that of the whole organization; the days are those of the project, where the caller has one.',
    access: 'read',
    query,
    reply: usageReply,
    serve: async ({ caller, query }) => {
      const month = query.month ?? new Date().toISOString().slice(0, 7)
      const { quota, used, days } = await readUsage(sql, tenantOf(caller), `${month}-01`)
      return {
        object: 'usage',
        month,
        quota,
        used,
        remaining: quota === null ? null : Math.max(quota - used, 0),
        data: days.map(({ day, projectId, projectName, messages, recipients }) => ({
          day,
          project_id: projectId,
          project: projectName,
          emails: messages,
          recipients,
        })),
      }
    },
  })
