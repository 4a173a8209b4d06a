/** POST /emails/{id}/resend: a stored message sent again, as a message of its own. */
import { findSentBefore, readStoredMessage, type SentBefore } from '@postel/db/queries/emails'
import type { Submission } from '@postel/db/submitter'
import { domainBelongsTo } from '@postel/mail/address'
import { envelopeRecipients, isFieldProblem } from '@postel/mail/compose'
import { splitHeaderSection } from '@postel/mail/header-fields'
import { normaliseMessage } from '@postel/mail/normalise'
import { z } from 'zod'
import { type Caller, projectOf, senderOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem, Problem, tooLarge } from '../problem.ts'
import { requestIdOf } from '../request-id.ts'
import { traced } from '../trace-request.ts'
import { recipientsField } from './email-request.ts'
import { hashRequest, idempotencyHeader, idsOf, readIdempotencyKey } from './idempotency.ts'
import type { SubmissionLimits } from './prepare-submission.ts'
import { sentReply } from './replies.ts'

const resendRequest = z
  .object(
    {
      to: recipientsField.optional().meta({
        description: 'Instead of the recipients that it had, cc and bcc included. Its header stays as it is.',
      }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'ResendEmailRequest' })

export const resendEmail = ({ sql, submitter, limits, events }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/emails/{id}/resend',
    id: 'resendEmail',
    tag: 'Emails',
    summary: 'Send an email again',
    description:
      'Not in Resend. The same content goes out as a new email with an id, a Date and a Message-ID of its own, so that nobody takes it for a copy of what they have. It counts against limits as any other.',
    access: 'write',
    params: uuidPath,
    headers: idempotencyHeader,
    body: bodyOf(resendRequest, { required: false }),
    reply: sentReply,
    problems: [400, 404, 409, 429],
    serve: async ({ caller, params: { id }, body, request, response }) => {
      const tenant = projectOf(caller)
      const key = readIdempotencyKey(request)
      const before = await findSentBefore(sql, tenant, id)
      const raw = before && (await readStoredMessage(sql, tenant, id))
      if (!before) throw new Problem('not_found', 'Email not found.')
      if (!raw) throw new Problem('validation_error', 'The content of this email is not kept any more.')
      const plain = limits.links.without(raw)
      const again = sendAgain(caller, before, plain, body.to ?? before.recipients, id, limits)
      const linked = await limits.links.add(again)
      const submission = traced(
        linked ? { ...again, raw: linked.raw, details: { ...again.details, link_ref: linked.ref } } : again,
        response,
      )
      if (key === undefined) return accepted(await submitter.submit(submission))
      const outcome = await submitter.submitOnce(key, hashRequest('resend', { id, ...body }), [submission])
      const [first] = idsOf(outcome)
      return outcome.outcome === 'stored' ? accepted(first!) : { id: first! }

      function accepted(newId: string): { id: string } {
        events.accepted({
          request: requestIdOf(response),
          project: tenant.projectId,
          messages: [newId],
          recipients: submission.recipients.length,
          bytes: submission.raw.length,
        })
        return { id: newId }
      }
    },
  })

/** Throws a Problem where it may not be sent any more, or not to these. */
function sendAgain(
  caller: Caller,
  before: SentBefore,
  raw: Buffer,
  to: readonly string[],
  id: string,
  { maxRecipients, maxMessageBytes, hostname }: SubmissionLimits,
): Submission & { details: object } {
  const sender = senderOf(caller)
  if (before.source === 'report')
    throw new Problem('validation_error', 'This is a delivery report: it is not sent again.')
  if (before.signingDomain === null || domainBelongsTo(before.signingDomain, sender.domains) === undefined)
    throw new Problem(
      'validation_error',
      `The ${before.signingDomain ?? 'sender'} domain is not verified. Please, add and verify your domain.`,
      { statusCode: 403 },
    )
  const recipients = envelopeRecipients([...to])
  if (isFieldProblem(recipients)) throw fieldProblem(recipients)
  if (recipients.length > maxRecipients)
    throw new Problem(
      'validation_error',
      `The email has ${recipients.length} recipients; this server takes at most ${maxRecipients}.`,
    )
  const normalised = normaliseMessage(withoutTrace(raw), { hostname, now: new Date(), protocol: 'HTTP' })
  if ('refused' in normalised)
    throw new Problem('validation_error', `The email cannot be sent: ${normalised.reason}.`)
  if (normalised.raw.length > maxMessageBytes) throw tooLarge()
  const {
    scheduled_at: _,
    link_ref: __,
    test: ___,
    traceparent: ____,
    ...details
  } = (before.details ?? {}) as Record<string, unknown>
  return {
    organizationId: sender.organizationId,
    projectId: sender.projectId,
    source: 'rest',
    envelopeFrom: before.envelopeFrom,
    signingDomain: before.signingDomain,
    messageIdHeader: normalised.messageId,
    headerFrom: before.headerFrom,
    subject: before.subject,
    details: { ...details, resent_from: id },
    recipients: recipients.map(({ address, domain }) => ({ address, domain })),
    raw: normalised.raw,
    ...(sender.credentialId !== null && { keyId: sender.credentialId }),
    ...(sender.test && { test: true }),
  }
}

const trace = new Set(['received', 'date', 'message-id'])

/** Without what normaliseMessage makes anew. */
function withoutTrace(raw: Buffer): Buffer {
  const end = raw.indexOf('\r\n\r\n')
  const headerLength = end < 0 ? raw.length : end + 2
  const fields = splitHeaderSection(raw.toString('latin1', 0, headerLength), 1_000)
  if (typeof fields === 'string') return raw
  const kept = fields.filter(({ name }) => !trace.has(name)).map(({ start, end }) => raw.subarray(start, end))
  return Buffer.concat([...kept, raw.subarray(headerLength)])
}
