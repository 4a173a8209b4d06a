/** PATCH /api-keys/{id}: its name and its limits. */
import { updateApiKey as changeApiKey, findDomainOfScope } from '@postel/db/queries/api-keys'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { futureTime, idOrName, nameField, networksField } from '../fields.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem, Problem } from '../problem.ts'
import { boundDomain, boundExpiry, boundNetworks, keyScopeOf, managesAll } from './limits.ts'
import { changedApiKeyReply, permissions } from './replies.ts'

const updateApiKeyRequest = z
  .object(
    {
      name: nameField.optional(),
      permission: z
        .enum(permissions, { error: 'must be full_access or sending_access.' })
        .optional()
        .meta({ description: 'Not in Resend.' }),
      domain_id: idOrName.nullable().optional().meta({ description: 'Not in Resend. Null: every domain.' }),
      networks: networksField.nullable().optional().meta({ description: 'Not in Resend. Null: everywhere.' }),
      expires_at: futureTime.nullable().optional().meta({ description: 'Not in Resend. Null: never.' }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'UpdateApiKeyRequest' })

export const updateApiKey = ({ sql }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/api-keys/{id}',
    id: 'updateApiKey',
    tag: 'API keys',
    summary: 'Change the name or the limits of an API key',
    description: 'What is left out stays as it is. It is felt everywhere within 5 s.',
    access: 'write',
    params: uuidPath,
    body: bodyOf(updateApiKeyRequest),
    reply: changedApiKeyReply,
    problems: [404],
    serve: async ({ caller, params: { id }, body }) => {
      const { name, permission, domain_id: domain, networks, expires_at: expiresAt } = body
      const scope = keyScopeOf(caller)
      const domainId = domain ? await findDomainOfScope(sql, scope, domain) : domain
      if (domain && domainId === undefined)
        throw fieldProblem({ field: 'domain_id', problem: 'It was not found.' })
      const changes = {
        ...(name !== undefined && { name }),
        ...(permission !== undefined && { permission }),
        ...(domainId !== undefined && { domainId: boundDomain(caller, domainId) }),
        ...(networks !== undefined && { networks: boundNetworks(caller, networks) }),
        ...(expiresAt !== undefined && { expiresAt: boundExpiry(caller, expiresAt) }),
      }
      if (!(await changeApiKey(sql, caller.actor, scope, id, changes, managesAll(caller))))
        throw new Problem('not_found', 'API key not found.')
      return { object: 'api_key', id }
    },
  })
