/** Which list a request is about. */
import type { Sql } from '@postel/db/client'
import { findProject, type SuppressionScope } from '@postel/db/queries/suppressions'
import { z } from 'zod'
import { type Caller, tenantOf } from '../caller.ts'
import { Problem } from '../problem.ts'

/** As a field of a body or a parameter of a query. */
export const projectName = z
  .string({ error: 'must be a string.' })
  .min(1, { error: 'must not be empty.' })
  .max(200, {
    error: 'must have at most 200 characters.',
  })
  .refine((text) => text.isWellFormed() && !text.includes('\0'), { error: 'must be text without NUL.' })
export const projectField = projectName.optional().meta({
  description:
    'Not in Resend: the name or id of a project, for keys of the whole organization. Without it they mean the whole organization.',
})

/** Throws a Problem for a project that the caller does not act in. */
export async function scopeOf(
  sql: Sql,
  caller: Caller,
  project: string | undefined,
): Promise<SuppressionScope> {
  const tenant = tenantOf(caller)
  if (project === undefined) return tenant
  const projectId = await findProject(sql, tenant.organizationId, project)
  if (projectId === undefined || (tenant.projectId !== null && tenant.projectId !== projectId))
    throw new Problem(
      'validation_error',
      'Invalid `project` field. There is no such project, or not for this key.',
    )
  return { ...tenant, projectId }
}
