/** POST /api-keys: a new key, whose secret is shown this once. */
import { findDomainOfScope, type KeyScope, createApiKey as storeApiKey } from '@postel/db/queries/api-keys'
import { z } from 'zod'
import type { Caller } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { futureTime, idOrName, nameField, networksField } from '../fields.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem } from '../problem.ts'
import {
  boundDomain,
  boundExpiry,
  boundNetworks,
  boundTest,
  keyScopeOf,
  managesAll,
  refuseFullAccess,
} from './limits.ts'
import { newApiKeyReply, permissions } from './replies.ts'

const createApiKeyRequest = z
  .object(
    {
      name: nameField,
      permission: z
        .enum(permissions, { error: 'must be full_access or sending_access.' })
        .default('full_access'),
      domain_id: idOrName.nullish().meta({
        description: 'It sends from this domain only: an id or a name.',
      }),
      project: idOrName.nullish().meta({
        description:
          'Not in Resend: the project (id or name) that it is for, where the caller has the whole organization.',
      }),
      networks: networksField
        .nullish()
        .meta({ description: 'Not in Resend: it works from these networks only.' }),
      expires_at: futureTime.nullish().meta({ description: 'Not in Resend: it stops working then.' }),
      test: z.boolean({ error: 'must be true or false.' }).optional().meta({
        description: 'Not in Resend: a test key, whose mail goes to the sandbox mailbox.',
      }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'CreateApiKeyRequest' })

export const createApiKey = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/api-keys',
    id: 'createApiKey',
    tag: 'API keys',
    summary: 'Make an API key',
    description:
      'The key has at most what the caller has: a key of a project makes keys of that project, a test key test keys.',
    access: 'write',
    body: bodyOf(createApiKeyRequest),
    reply: newApiKeyReply,
    status: 201,
    serve: async ({ caller, body }) => {
      const { name, permission } = body
      const scope = await scopeOfNew(context, caller, body.project ?? undefined)
      if (permission === 'full_access' && scope.projectId === null && !managesAll(caller))
        throw refuseFullAccess()
      const domainId = boundDomain(
        caller,
        body.domain_id ? await domainOf(context, scope, body.domain_id) : undefined,
      )
      const made = await storeApiKey(context.sql, caller.actor, scope, {
        name,
        permission,
        domainId,
        networks: boundNetworks(caller, body.networks ?? undefined),
        expiresAt: boundExpiry(caller, body.expires_at ?? undefined),
        test: boundTest(caller, body.test),
      })
      if (!made) throw notThere('project')
      return { id: made.id, token: made.secret }
    },
  })

/** Where the caller is, or the project there that it names. */
async function scopeOfNew(
  { credentials }: ApiContext,
  caller: Caller,
  project: string | undefined,
): Promise<KeyScope> {
  const scope = keyScopeOf(caller)
  if (project === undefined) return scope
  const found =
    scope.organizationId === null ? undefined : await credentials.ofProject(scope.organizationId, project)
  if (!found || (scope.projectId !== null && found.projectId !== scope.projectId)) throw notThere('project')
  return { organizationId: scope.organizationId, projectId: found.projectId }
}

async function domainOf({ sql }: ApiContext, scope: KeyScope, domain: string): Promise<string> {
  const id = await findDomainOfScope(sql, scope, domain)
  if (id === undefined) throw notThere('domain_id')
  return id
}

/** The same for what is not there and for what is another's. */
function notThere(field: string) {
  return fieldProblem({ field, problem: 'It was not found.' })
}
