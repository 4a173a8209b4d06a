/** /projects: the streams of mail of an organization. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { createProject, updateProject } from './change-project.ts'
import { removeProject } from './remove-project.ts'
import { getProject, listProjects } from './show-project.ts'

export function projectEndpoints(context: ApiContext): Endpoint[] {
  return [
    createProject(context),
    listProjects(context),
    getProject(context),
    updateProject(context),
    removeProject(context),
  ]
}
