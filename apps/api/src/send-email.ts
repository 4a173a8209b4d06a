/** POST /emails: one message. */
import type { RequestHandler } from 'express'
import { principalOf } from './authenticate.ts'
import type { ApiContext } from './context.ts'
import { parseEmail } from './email-request.ts'
import { hashRequest, idsOf, readIdempotencyKey } from './idempotency.ts'
import { prepareSubmission } from './prepare-submission.ts'
import type { Sent } from './replies.ts'

export function sendEmail({ submitter, limits, events }: ApiContext): RequestHandler {
  return async (request, response) => {
    const principal = principalOf(response)
    const key = readIdempotencyKey(request)
    const email = parseEmail(request.body)
    const submission = await prepareSubmission(email, principal, limits)

    let ids: string[]
    if (key === undefined) ids = [await submitter.submit(submission)]
    else {
      const outcome = await submitter.submitOnce(key, hashRequest('email', email), [submission])
      ids = idsOf(outcome)
      if (outcome.outcome === 'repeated') return void response.json({ id: ids[0]! } satisfies Sent)
    }
    events.accepted({
      project: principal.projectId,
      messages: ids,
      recipients: submission.recipients.length,
    })
    response.json({ id: ids[0]! } satisfies Sent)
  }
}
