/** POST /smtp-credentials: a password, which is shown this once, or a network whose clients need none. */
import { createSmtpCredential as storeSmtpCredential } from '@postel/db/queries/smtp-credentials'
import { z } from 'zod'
import { boundExpiry, boundTest } from '../api-keys/limits.ts'
import { type Caller, mayUse, projectOf, tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { futureTime, idOrName, nameField, networkField } from '../fields.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem, Problem } from '../problem.ts'
import { newSmtpCredentialReply } from './replies.ts'

/** A larger network would make an open relay of the project. */
const prefixMin = { 4: 8, 6: 32 }

const createSmtpCredentialRequest = z
  .object(
    {
      name: nameField,
      project: idOrName.nullish().meta({
        description: 'The project (id or name), where the caller has the whole organization.',
      }),
      network: networkField
        .refine(isNarrow, {
          error: `must not be larger than a /${prefixMin[4]}, in IPv6 a /${prefixMin[6]}.`,
        })
        .nullish()
        .meta({
          description:
            'A trusted network instead of a password: whoever connects from there sends as the project. For operators of the platform only, because a network can be trusted for one project alone.',
        }),
      expires_at: futureTime.nullish(),
      test: z.boolean({ error: 'must be true or false.' }).optional().meta({
        description: 'What it sends goes to the sandbox mailbox.',
      }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'CreateSmtpCredentialRequest' })

export const createSmtpCredential = ({ sql, credentials }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/smtp-credentials',
    id: 'createSmtpCredential',
    tag: 'SMTP credentials',
    summary: 'Make a password for SMTP, or trust a network',
    access: 'write',
    body: bodyOf(createSmtpCredentialRequest),
    reply: newSmtpCredentialReply,
    status: 201,
    serve: async ({ caller, body }) => {
      const { name, network = null, project } = body
      if (network !== null && !mayUse(caller.role, 'operate'))
        throw new Problem('invalid_permission', 'Only operators of the platform may trust a network.')
      refuseLimited(caller)
      const { organizationId } = tenantOf(caller)
      const sender = await credentials.ofProject(organizationId, project ?? projectOf(caller).projectId)
      if (!sender || (caller.projectId !== null && sender.projectId !== caller.projectId)) throw noProject()
      const made = await storeSmtpCredential(sql, caller.actor, sender, {
        name,
        network,
        test: boundTest(caller, body.test),
        expiresAt: boundExpiry(caller, body.expires_at ?? undefined),
      })
      if (!made) throw noProject()
      return {
        object: 'smtp_credential',
        id: made.id,
        username: sender.projectName,
        password: made.password,
      }
    },
  })

/** An SMTP credential has no such limits, so it would be more than the key that made it. */
function refuseLimited({ credential }: Caller): void {
  if (credential !== null && (credential.networks !== null || credential.domainId !== null))
    throw new Problem(
      'invalid_permission',
      'This API key is limited, and an SMTP credential would not be. Make an API key: it is an SMTP password as well.',
    )
}

function noProject() {
  return fieldProblem({ field: 'project', problem: 'It was not found.' })
}

function isNarrow(network: string): boolean {
  const prefix = network.split('/')[1]
  return prefix === undefined || Number(prefix) >= (network.includes(':') ? prefixMin[6] : prefixMin[4])
}
