/** POST /emails/batch: up to a hundred messages in one transaction; strict stores all or none, permissive the valid ones. */
import type { Submission } from '@postel/db/submitter'
import { z } from 'zod'
import { projectOf, senderOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { Problem } from '../problem.ts'
import { requestIdOf } from '../request-id.ts'
import { fillTemplate } from '../templates/fill-template.ts'
import { traced } from '../trace-request.ts'
import { batchRequest, type GivenEmail, parseBatch, parseBatchItem } from './email-request.ts'
import { hashRequest, idempotencyHeader, idsOf, readIdempotencyKey } from './idempotency.ts'
import { prepareSubmission } from './prepare-submission.ts'
import { type SentBatch, sentBatchReply } from './replies.ts'

type ItemError = { index: number; message: string }

const validation = z.enum(['strict', 'permissive']).default('strict').meta({
  description:
    'strict: all emails are stored or none. permissive: the valid ones are, and `errors` lists the others.',
})

export const sendBatch = ({ sql, submitter, limits, events }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/emails/batch',
    id: 'sendBatch',
    tag: 'Emails',
    summary: 'Send up to 100 emails',
    access: 'send',
    headers: idempotencyHeader.extend({ 'x-batch-validation': validation }),
    body: { schema: batchRequest, parse: parseBatch, maxBytes: 'message' },
    reply: sentBatchReply,
    problems: [400, 409],
    serve: async ({ caller, body: items, request, response }) => {
      const sender = senderOf(caller)
      const key = readIdempotencyKey(request)
      const mode = readMode(request.get('x-batch-validation'))

      const emails: GivenEmail[] = []
      const submissions: Submission[] = []
      const errors: ItemError[] = []
      for (const [index, item] of items.entries()) {
        try {
          const given = parseBatchItem(item)
          const { attachments: _, ...email } = await fillTemplate(sql, projectOf(caller), given)
          submissions.push(traced(await prepareSubmission(email, sender, limits), response))
          emails.push(given)
        } catch (error) {
          if (!(error instanceof Problem)) throw error
          if (mode === 'strict')
            throw new Problem(error.kind, `Email ${index}: ${error.message}`, {
              statusCode: error.statusCode,
            })
          errors.push({ index, message: error.message })
        }
      }

      const answer = (ids: readonly string[]): SentBatch => ({
        data: ids.map((id) => ({ id })),
        ...(mode === 'permissive' && { errors }),
      })
      if (submissions.length === 0) return answer([])

      let ids: string[]
      if (key === undefined) ids = await submitter.submitAll(submissions)
      else {
        const hash = hashRequest(`batch ${mode}`, { emails, errors })
        const outcome = await submitter.submitOnce(key, hash, submissions)
        ids = idsOf(outcome)
        if (outcome.outcome === 'repeated') return answer(ids)
      }
      events.accepted({
        request: requestIdOf(response),
        project: sender.projectId,
        messages: ids,
        recipients: submissions.reduce((sum, { recipients }) => sum + recipients.length, 0),
        bytes: submissions.reduce((sum, { raw }) => sum + raw.length, 0),
      })
      return answer(ids)
    },
  })

function readMode(header = 'strict'): 'strict' | 'permissive' {
  if (header === 'strict' || header === 'permissive') return header
  throw new Problem('invalid_parameter', 'The `x-batch-validation` header must be strict or permissive.')
}
