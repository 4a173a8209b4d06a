/** GET /emails: messages of a project or of all, newest first, narrowed by what their senders look for. */
import type { Sql } from '@postel/db/client'
import { findProject, listEmails as readEmails } from '@postel/db/queries/emails'
import { type Tenant, tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor } from '../paging.ts'
import { Problem } from '../problem.ts'
import { emailsQuery, filterOf } from './email-filter.ts'
import { emailsReply } from './replies.ts'
import { showSummary } from './show-email.ts'

export const listEmails = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/emails',
    id: 'listEmails',
    tag: 'Emails',
    summary: 'List emails, newest first',
    description:
      'All parameters together must match. Each that has one uses an index, so a page costs the same however much mail there is. Where only a few among very many match several of them, an answer may end before `limit` is reached: it then has `has_more` and `searched_to`, from where the next one goes on.',
    access: 'read',
    query: emailsQuery,
    reply: emailsReply,
    serve: async ({ caller, query }) => {
      const tenant = await tenantOrProject(sql, tenantOf(caller), query.project)
      const page = await readEmails(sql, tenant, oneCursor(query), filterOf(query))
      return {
        object: 'list',
        has_more: page.hasMore,
        ...(page.lookedTo !== null && { searched_to: page.lookedTo }),
        data: page.rows.map(showSummary),
      }
    },
  })

/** The project that is asked for, where the caller may look into it. */
async function tenantOrProject(sql: Sql, tenant: Tenant, project: string | undefined): Promise<Tenant> {
  if (project === undefined) return tenant
  const projectId = await findProject(sql, tenant.organizationId, project)
  if (projectId === undefined || (tenant.projectId ?? projectId) !== projectId)
    throw new Problem('validation_error', 'The `project` must be the id or name of a project of yours.')
  return { ...tenant, projectId }
}
