/** GET /api-keys: the keys that are not revoked, newest first. */
import { type ApiKeyRow, listApiKeys as readApiKeys } from '@postel/db/queries/api-keys'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage } from '../paging.ts'
import { keyScopeOf } from './limits.ts'
import { type ApiKeyReply, apiKeysReply } from './replies.ts'

export const listApiKeys = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/api-keys',
    id: 'listApiKeys',
    tag: 'API keys',
    summary: 'List API keys, newest first',
    access: 'read',
    query: uuidPage,
    reply: apiKeysReply,
    serve: async ({ caller, query }) => {
      const page = await readApiKeys(sql, keyScopeOf(caller), oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showApiKey) }
    },
  })

function showApiKey(key: ApiKeyRow): ApiKeyReply {
  return {
    id: key.id,
    name: key.name,
    created_at: key.createdAt,
    last_used_at: key.lastUsedAt,
    prefix: key.prefix,
    permission: key.permission,
    project_id: key.projectId,
    domain_id: key.domainId,
    networks: key.networks,
    test: key.test,
    expires_at: key.expiresAt,
  }
}
