/** POST /projects and PATCH /projects/{id}. */
import { updateProject as changeProject, createProject as storeProject } from '@postel/db/queries/projects'
import { mayUse, tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { createProjectRequest, idOfOutcome, readSettings, updateProjectRequest } from './project-request.ts'
import { changedProjectReply } from './replies.ts'

export const createProject = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/projects',
    id: 'createProject',
    tag: 'Projects',
    summary: 'Make a project',
    access: 'administer',
    body: bodyOf(createProjectRequest),
    reply: changedProjectReply,
    status: 201,
    problems: [404, 409],
    serve: async ({ caller, body }) => {
      const { organizationId } = tenantOf(caller)
      const settings = { ...readSettings(body), name: body.name }
      const anyPool = mayUse(caller.role, 'operate')
      const outcome = await storeProject(sql, caller.actor, organizationId, settings, anyPool)
      return { object: 'project', id: idOfOutcome(outcome) }
    },
  })

export const updateProject = ({ sql }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/projects/{id}',
    id: 'updateProject',
    tag: 'Projects',
    summary: 'Change a project',
    description: 'What is left out stays as it is.',
    access: 'write',
    params: uuidPath,
    body: bodyOf(updateProjectRequest),
    reply: changedProjectReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id }, body }) => {
      const anyPool = mayUse(caller.role, 'operate')
      const outcome = await changeProject(
        sql,
        caller.actor,
        tenantOf(caller),
        id,
        readSettings(body),
        anyPool,
      )
      return { object: 'project', id: idOfOutcome(outcome) }
    },
  })
