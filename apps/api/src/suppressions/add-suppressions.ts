/** POST /suppressions and /suppressions/batch/add. */
import { addSuppressions as storeSuppressions } from '@postel/db/queries/suppressions'
import type { Caller } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { bodyOf } from '../parse-with.ts'
import { addedBatchReply, addedReply } from './replies.ts'
import { addBatchRequest, addRequest, type Terms } from './requests.ts'
import { scopeOf } from './scope.ts'

const tag = 'Suppressions'

export const addSuppression = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/suppressions',
    id: 'addSuppression',
    tag,
    summary: 'Suppress an address',
    description:
      'Mail to it is accepted and not sent, until it is taken off the list. Case, needless quotes and the spelling of an internationalised domain make no difference; `user+tag@` is an address of its own. Safe to repeat.',
    access: 'write',
    body: bodyOf(addRequest),
    reply: addedReply,
    serve: async ({ caller, body: { email, ...rest } }) => {
      const [id] = await add(context, caller, [email], rest)
      return { object: 'suppression', id: id! }
    },
  })

export const addSuppressions = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/suppressions/batch/add',
    id: 'addSuppressions',
    tag,
    summary: 'Suppress up to 1,000 addresses, all or none',
    access: 'write',
    body: bodyOf(addBatchRequest),
    reply: addedBatchReply,
    serve: async ({ caller, body: { emails, ...rest } }) => {
      const ids = await add(context, caller, emails, rest)
      return { data: ids.map((id) => ({ object: 'suppression' as const, id })) }
    },
  })

async function add(
  { sql }: ApiContext,
  caller: Caller,
  addresses: readonly string[],
  { reason, expires_at: expiresAt, project }: Terms & { project?: string | undefined },
): Promise<string[]> {
  const scope = await scopeOf(sql, caller, project)
  const entries = addresses.map((address) => ({ address, origin: 'manual' as const, reason, expiresAt }))
  return (await storeSuppressions(sql, scope, entries, caller.actor)).ids
}
