/** /suspensions: recipient domains and projects whose mail is not sent for now. It stays in the queue, and expires as always. */
import {
  endSuspension,
  findSuspension,
  listSuspensions as readSuspensions,
  type SuspensionRow,
  suspendDomain,
  suspendProject,
} from '@postel/db/queries/suspensions'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { domainPattern, reason, rowId } from '../operator-fields.ts'
import { numberPage, oneCursor } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { orRefuse } from '../refusals.ts'
import { endedSuspensionReply, type SuspensionEntry, suspensionReply, suspensionsReply } from './replies.ts'

export function suspensionEndpoints(context: ApiContext): Endpoint[] {
  return [
    listSuspensions(context),
    createSuspension(context),
    getSuspension(context),
    deleteSuspension(context),
  ]
}

const path = z.object({ id: rowId })

const newSuspension = z
  .object(
    {
      domain: domainPattern
        .optional()
        .meta({ description: 'A recipient domain; `*.example.com`: all below.', example: 'example.com' }),
      project_id: z
        .guid({ error: 'must be a valid UUID.' })
        .optional()
        .meta({ description: 'Instead of a domain.' }),
      reason: reason.meta({ example: 'They asked us to stop for today.' }),
      until: z.iso
        .datetime({
          offset: true,
          error: 'must be an ISO 8601 time with a time zone, like 2026-11-30T08:00:00Z.',
        })
        .refine((value) => Date.parse(value) < Date.now() + 3650 * 86_400_000, {
          error: 'must be within ten years.',
        })
        .optional()
        .meta({ description: 'Of a domain. Without it: until it is deleted.' }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'CreateSuspensionRequest' })

const listSuspensions = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/suspensions',
    id: 'listSuspensions',
    tag: 'Suspensions',
    summary: 'List the suspensions in force, newest first',
    access: 'operate',
    query: numberPage,
    reply: suspensionsReply,
    serve: async ({ query }) => {
      const page = await readSuspensions(sql, oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showSuspension) }
    },
  })

const createSuspension = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/suspensions',
    id: 'createSuspension',
    tag: 'Suspensions',
    summary: 'Send nothing to a domain, or of a project, for now',
    description: 'What is being sent goes on. Asked for again it takes the new reason and time.',
    access: 'operate',
    body: bodyOf(newSuspension),
    reply: suspensionReply,
    status: 201,
    problems: [404],
    serve: async ({ caller: { actor }, body: { domain, project_id, reason, until } }) => {
      if ((domain === undefined) === (project_id === undefined))
        throw new Problem('missing_required_field', 'Give either `domain` or `project_id`.')
      let id: string | undefined
      if (domain !== undefined)
        id = await orRefuse(suspendDomain(sql, actor, { domain, reason, until: until ?? null }))
      else {
        if (until !== undefined)
          throw new Problem(
            'validation_error',
            'A project is suspended until its suspension is deleted: leave `until` out.',
          )
        id = await orRefuse(suspendProject(sql, actor, { projectId: project_id!, reason }))
      }
      if (id === undefined) throw new Problem('not_found', 'Project not found.')
      return { object: 'suspension', ...showSuspension(await theSuspension(sql, id)) }
    },
  })

const getSuspension = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/suspensions/{id}',
    id: 'getSuspension',
    tag: 'Suspensions',
    summary: 'Get a suspension',
    access: 'operate',
    params: path,
    reply: suspensionReply,
    problems: [404],
    serve: async ({ params: { id } }) => ({
      object: 'suspension',
      ...showSuspension(await theSuspension(sql, id)),
    }),
  })

const deleteSuspension = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/suspensions/{id}',
    id: 'deleteSuspension',
    tag: 'Suspensions',
    summary: 'End a suspension: its mail leaves in its turn',
    access: 'operate',
    params: path,
    reply: endedSuspensionReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      if (!(await orRefuse(endSuspension(sql, caller.actor, id)))) throw notFound()
      return { object: 'suspension', id, deleted: true }
    },
  })

const notFound = () => new Problem('not_found', 'Suspension not found.')

async function theSuspension(sql: ApiContext['sql'], id: string): Promise<SuspensionRow> {
  const suspension = await findSuspension(sql, id)
  if (!suspension) throw notFound()
  return suspension
}

function showSuspension({
  projectId,
  requestedBy,
  createdAt,
  ...suspension
}: SuspensionRow): SuspensionEntry {
  return { ...suspension, project_id: projectId, requested_by: requestedBy, created_at: createdAt }
}
