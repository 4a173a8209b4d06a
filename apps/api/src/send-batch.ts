/** POST /emails/batch: up to a hundred messages in one transaction; strict stores all or none, permissive the valid ones. */
import type { Submission } from '@postel/db/submitter'
import type { RequestHandler } from 'express'
import { principalOf } from './authenticate.ts'
import type { ApiContext } from './context.ts'
import { type EmailRequest, parseBatch, parseBatchItem } from './email-request.ts'
import { hashRequest, idsOf, readIdempotencyKey } from './idempotency.ts'
import { prepareSubmission } from './prepare-submission.ts'
import { Problem } from './problem.ts'
import type { SentBatch } from './replies.ts'

type ItemError = { index: number; message: string }

export function sendBatch({ submitter, limits, events }: ApiContext): RequestHandler {
  return async (request, response) => {
    const principal = principalOf(response)
    const key = readIdempotencyKey(request)
    const mode = readMode(request.get('x-batch-validation'))

    const emails: EmailRequest[] = []
    const submissions: Submission[] = []
    const errors: ItemError[] = []
    for (const [index, item] of parseBatch(request.body).entries()) {
      try {
        const email = parseBatchItem(item)
        submissions.push(await prepareSubmission(email, principal, limits))
        emails.push(email)
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        if (mode === 'strict')
          throw new Problem(error.kind, `Email ${index}: ${error.message}`, { statusCode: error.statusCode })
        errors.push({ index, message: error.message })
      }
    }

    const answer = (ids: readonly string[]): SentBatch => ({
      data: ids.map((id) => ({ id })),
      ...(mode === 'permissive' && { errors }),
    })
    if (submissions.length === 0) return void response.json(answer([]))

    let ids: string[]
    if (key === undefined) ids = await submitter.submitAll(submissions)
    else {
      const hash = hashRequest(`batch ${mode}`, { emails, errors })
      const outcome = await submitter.submitOnce(key, hash, submissions)
      ids = idsOf(outcome)
      if (outcome.outcome === 'repeated') return void response.json(answer(ids))
    }
    events.accepted({
      project: principal.projectId,
      messages: ids,
      recipients: submissions.reduce((sum, { recipients }) => sum + recipients.length, 0),
    })
    response.json(answer(ids))
  }
}

function readMode(header = 'strict'): 'strict' | 'permissive' {
  if (header === 'strict' || header === 'permissive') return header
  throw new Problem('invalid_parameter', 'The `x-batch-validation` header must be strict or permissive.')
}
