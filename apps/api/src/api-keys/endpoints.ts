/** /api-keys: the keys of a project, an organization or the platform. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { createApiKey } from './create-api-key.ts'
import { listApiKeys } from './list-api-keys.ts'
import { removeApiKey } from './remove-api-key.ts'
import { updateApiKey } from './update-api-key.ts'

export function apiKeyEndpoints(context: ApiContext): Endpoint[] {
  return [createApiKey(context), listApiKeys(context), updateApiKey(context), removeApiKey(context)]
}
