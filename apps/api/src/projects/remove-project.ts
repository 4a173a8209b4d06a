/** DELETE /projects/{id}: its keys are dead and its waiting mail is cancelled; what was sent stays on record. */
import { deleteProject } from '@postel/db/queries/projects'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { noProject } from './project-request.ts'
import { removedProjectReply } from './replies.ts'

export const removeProject = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/projects/{id}',
    id: 'removeProject',
    tag: 'Projects',
    summary: 'Delete a project',
    description: 'Its keys stop working, and mail of it that waits is cancelled.',
    access: 'administer',
    params: uuidPath,
    reply: removedProjectReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const deleted = await deleteProject(sql, caller.actor, tenantOf(caller), id)
      if (!deleted) throw noProject()
      return { object: 'project', id, deleted: true, cancelled_recipients: deleted.cancelled }
    },
  })
