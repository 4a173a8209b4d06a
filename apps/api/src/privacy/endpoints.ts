/** /privacy: what is stored about a person's address, and its erasure. */
import { eraseAddress, exportAddress } from '@postel/db/queries/privacy'
import { suppressionAddress } from '@postel/mail/suppression-address'
import { z } from 'zod'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem } from '../problem.ts'
import { erasureReply, exportReply } from './replies.ts'

export function privacyEndpoints(context: ApiContext): Endpoint[] {
  return [exportPerson(context), erasePerson(context)]
}

/** Shorter than a request may take. What is left then is told. */
const eraseSeconds = 30

const email = z.string({ error: 'must be a string.' }).meta({ example: 'ann@example.com' })
const exportRequest = z
  .object(
    {
      email,
      limit: z
        .int({ error: 'must be a whole number from 1 to 1000.' })
        .min(1, { error: 'must be a whole number from 1 to 1000.' })
        .max(1000, { error: 'must be a whole number from 1 to 1000.' })
        .default(100),
      after: z.guid({ error: 'must be a valid UUID.' }).optional(),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'PrivacyExportRequest' })
const eraseRequest = z
  .object({ email }, { error: 'must be a JSON object.' })
  .meta({ id: 'PrivacyEraseRequest' })

const exportPerson = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/privacy/export',
    id: 'exportPerson',
    tag: 'Privacy',
    summary: 'Everything that is stored about an address, in the whole organization',
    access: 'administer',
    body: bodyOf(exportRequest),
    reply: exportReply,
    serve: async ({ caller, body }) => {
      const { organizationId } = tenantOf(caller)
      const address = readAddress(body.email)
      const found = await exportAddress(sql, organizationId, address, body)
      return {
        object: 'privacy_export',
        email: address,
        has_more: found.hasMore,
        emails: found.emails.map(
          ({ projectId, createdAt, lastReply, details, attempts, events, ...more }) => ({
            ...more,
            project_id: projectId,
            created_at: createdAt,
            last_reply: lastReply,
            details: details as Record<string, unknown> | null,
            attempts: attempts as Record<string, unknown>[],
            events: events as Record<string, unknown>[],
          }),
        ),
        suppressions: found.suppressions as Record<string, unknown>[],
        audit_log: found.auditLog as Record<string, unknown>[],
      }
    },
  })

const erasePerson = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/privacy/erase',
    id: 'erasePerson',
    tag: 'Privacy',
    summary: 'Erase an address from everything, in the whole organization',
    description:
      'Mail to it that has not left is cancelled. Emails keep their place without it; those to it alone lose their text. It stays suppressed where it was, by its hash. It cannot be undone.',
    access: 'administer',
    body: bodyOf(eraseRequest),
    reply: erasureReply,
    serve: async ({ caller, body }) => {
      const { organizationId } = tenantOf(caller)
      const address = readAddress(body.email)
      const { messages, pending } = await eraseAddress(
        sql,
        caller.actor,
        organizationId,
        address,
        [body.email.trim()],
        AbortSignal.timeout(eraseSeconds * 1000),
      )
      return { object: 'privacy_erasure', emails: messages, pending }
    },
  })

function readAddress(text: string): string {
  const address = suppressionAddress(text.trim())
  if (typeof address !== 'string') throw fieldProblem({ field: 'email', problem: address.problem })
  return address
}
