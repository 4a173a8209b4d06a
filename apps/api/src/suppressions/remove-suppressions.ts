/** DELETE /suppressions/{idOrEmail} and POST /suppressions/batch/remove. */
import { findSuppressions, liftSuppressions } from '@postel/db/queries/suppressions'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { whichOf } from './read-suppressions.ts'
import { removedBatchReply, removedReply } from './replies.ts'
import { idOrEmailPath, projectQuery, removeBatchRequest } from './requests.ts'
import { scopeOf } from './scope.ts'

const tag = 'Suppressions'

export const removeSuppression = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/suppressions/{idOrEmail}',
    id: 'removeSuppression',
    tag,
    summary: 'Take an address off the suppression list',
    description: "A project's key cannot remove what is suppressed for the whole organization.",
    access: 'write',
    params: idOrEmailPath,
    query: projectQuery,
    reply: removedReply,
    problems: [404],
    serve: async ({ caller, params: { idOrEmail }, query }) => {
      const scope = await scopeOf(sql, caller, query.project)
      const [removed] = await liftSuppressions(sql, scope, whichOf(idOrEmail), caller.actor)
      if (removed) return { object: 'suppression', id: removed.id, deleted: true }
      if ((await findSuppressions(sql, scope, whichOf(idOrEmail))).length > 0)
        throw new Problem(
          'invalid_permission',
          'This address is suppressed for the whole organization: that takes a key of the organization.',
        )
      throw new Problem('not_found', 'Suppression not found.')
    },
  })

export const removeSuppressions = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/suppressions/batch/remove',
    id: 'removeSuppressions',
    tag,
    summary: 'Take up to 1,000 addresses off the suppression list',
    description:
      'By `emails` or by `ids`. The answer has what was found; `deleted` is false for ids that are not on the list and for what a key of a project cannot remove.',
    access: 'write',
    body: bodyOf(removeBatchRequest),
    reply: removedBatchReply,
    serve: async ({ caller, body: { emails, ids, project } }) => {
      const scope = await scopeOf(sql, caller, project)
      const which = { ids: ids ?? [], addresses: emails ?? [] }
      const removed = new Set((await liftSuppressions(sql, scope, which, caller.actor)).map(({ id }) => id))
      const kept = ids ?? (await findSuppressions(sql, scope, which)).map(({ id }) => id)
      return {
        data: [...new Set([...(ids ?? removed), ...kept])].map((id) => ({
          object: 'suppression' as const,
          id,
          deleted: removed.has(id.toLowerCase()),
        })),
      }
    },
  })
