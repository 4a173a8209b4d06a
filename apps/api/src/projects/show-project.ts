/** GET /projects and GET /projects/{id}. */
import { findProject, type ProjectRow, listProjects as readProjects } from '@postel/db/queries/projects'
import { priorities, priorityNames } from '@postel/mail/urgency'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage, uuidPath } from '../paging.ts'
import { noProject } from './project-request.ts'
import { type ProjectFields, projectReply, projectsReply } from './replies.ts'

export const listProjects = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/projects',
    id: 'listProjects',
    tag: 'Projects',
    summary: 'List projects, newest first',
    access: 'read',
    query: uuidPage,
    reply: projectsReply,
    serve: async ({ caller, query }) => {
      const page = await readProjects(sql, tenantOf(caller), oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showProject) }
    },
  })

export const getProject = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/projects/{id}',
    id: 'getProject',
    tag: 'Projects',
    summary: 'Get a project',
    access: 'read',
    params: uuidPath,
    reply: projectReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const project = await findProject(sql, tenantOf(caller), id)
      if (!project) throw noProject()
      return { object: 'project', ...showProject(project) }
    },
  })

function showProject(row: ProjectRow): ProjectFields {
  return {
    id: row.id,
    name: row.name,
    created_at: row.createdAt,
    pool: row.pool,
    retry_schedule: row.retryScheduleSeconds,
    expire_after: row.expireAfterSeconds,
    priority: priorityNames.find((name) => priorities[name] === row.priority) ?? row.priority,
    tls: row.tls,
    reports: row.reports,
    delay_notice_after: row.delayNoticeAfterSeconds,
    retention_days: row.retentionDays,
    body_retention_days: row.bodyRetentionDays,
    unsubscribe: row.unsubscribe,
    recipients_per_second: row.recipientsPerSecond,
  }
}
