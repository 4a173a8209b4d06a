/** GET /me: the person or key behind a request, and what it may do. */
import type { Credential } from '@postel/db/queries/credentials'
import { findPerson } from '@postel/db/queries/people'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { ownCaller } from './own-caller.ts'
import { meReply } from './replies.ts'

export const whoAmI = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/me',
    id: 'whoAmI',
    tag: 'People',
    summary: 'Show who you are',
    description: 'Works with a session and with every API key.',
    access: 'own',
    reply: meReply,
    problems: [401, 403, 404, 429],
    serve: async (ask) => {
      const { actor, role, organizationId, projectId, credential } = await ownCaller(context, ask)
      const person =
        actor.kind === 'person' && actor.id !== null ? await findPerson(context.sql, actor.id) : undefined
      return {
        object: 'me',
        kind: credential ? 'api_key' : 'person',
        role,
        organization_id: organizationId,
        project_id: projectId,
        person: person
          ? { id: person.id, name: person.name, email: person.email, platform_admin: person.platformAdmin }
          : null,
        api_key: credential ? keyOf(credential) : null,
        organizations: (person?.memberships ?? []).map((each) => ({
          id: each.organizationId,
          name: each.organizationName,
          role: each.role,
        })),
      }
    },
  })

function keyOf({ id, name, permission, organizationId, projectId, domain, test }: Credential) {
  const scope = projectId !== null ? 'project' : organizationId !== null ? 'organization' : 'platform'
  return { id, name, permission, scope, domain, test } as const
}
