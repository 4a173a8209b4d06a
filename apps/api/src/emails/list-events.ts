/** GET /emails/{id}/events: what happened to an email, every try included. */
import { findEmail, readTimeline } from '@postel/db/queries/emails'
import { z } from 'zod'
import 'zod-openapi'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPage, uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'
import { timelineReply } from './replies.ts'

export const listEvents = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/emails/{id}/events',
    id: 'listEmailEvents',
    tag: 'Emails',
    summary: "List an email's events, newest first",
    description:
      'Not in Resend. The newest `limit` of them: of an email to many, ask for one recipient at a time.',
    access: 'read',
    params: uuidPath,
    query: uuidPage.pick({ limit: true }).extend({
      recipient: z
        .string({ error: 'must be given once.' })
        .max(1_000, { error: 'must have at most 1000 characters.' })
        .refine((value) => value.isWellFormed() && !value.includes('\0'), { error: 'must be an address.' })
        .optional()
        .meta({ description: 'Only what concerns this address.' }),
    }),
    reply: timelineReply,
    problems: [404],
    serve: async ({ caller, params: { id }, query: { limit, recipient } }) => {
      const tenant = tenantOf(caller)
      const rows = await readTimeline(sql, tenant, id, { limit: limit + 1, recipient })
      if (rows.length === 0 && !(await findEmail(sql, tenant, id)))
        throw new Problem('not_found', 'Email not found.')
      return {
        object: 'list',
        has_more: rows.length > limit,
        data: rows.slice(0, limit).map(({ data, ...row }) => ({ ...row, data: asRecord(data) })),
      }
    },
  })

function asRecord(data: unknown): Record<string, unknown> | null {
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? { ...data } : null
}
