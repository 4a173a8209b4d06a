/** DELETE /api-keys/{id}: revokes it for good. */
import { revokeApiKey } from '@postel/db/queries/api-keys'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'
import { keyScopeOf, managesAll } from './limits.ts'
import { removedApiKeyReply } from './replies.ts'

export const removeApiKey = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/api-keys/{id}',
    id: 'removeApiKey',
    tag: 'API keys',
    summary: 'Revoke an API key',
    description: 'It is felt everywhere within 5 s, open SMTP sessions included.',
    access: 'write',
    params: uuidPath,
    reply: removedApiKeyReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      if (!(await revokeApiKey(sql, caller.actor, keyScopeOf(caller), id, managesAll(caller))))
        throw new Problem('not_found', 'API key not found.')
      return { object: 'api_key', id, deleted: true }
    },
  })
