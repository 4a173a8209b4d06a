/** POST /emails: one message. */

import { projectOf, senderOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { requestIdOf } from '../request-id.ts'
import { fillTemplate } from '../templates/fill-template.ts'
import { traced } from '../trace-request.ts'
import { emailRequest, parseEmail } from './email-request.ts'
import { fetchAttachments } from './fetch-attachments.ts'
import { hashRequest, idempotencyHeader, idsOf, readIdempotencyKey } from './idempotency.ts'
import { prepareSubmission } from './prepare-submission.ts'
import { sentReply } from './replies.ts'

export const sendEmail = (context: ApiContext) => {
  const { sql, submitter, limits, events } = context
  return endpoint({
    method: 'post',
    path: '/emails',
    id: 'sendEmail',
    tag: 'Emails',
    summary: 'Send an email',
    access: 'send',
    headers: idempotencyHeader,
    body: { schema: emailRequest, parse: parseEmail, maxBytes: 'message' },
    reply: sentReply,
    problems: [400, 409],
    serve: async ({ caller, body: given, request, response }) => {
      const sender = senderOf(caller)
      const key = readIdempotencyKey(request)
      const email = await fetchAttachments(context, await fillTemplate(sql, projectOf(caller), given))
      const submission = traced(await prepareSubmission(email, sender, limits), response)

      let ids: string[]
      if (key === undefined) ids = [await submitter.submit(submission)]
      else {
        const outcome = await submitter.submitOnce(key, hashRequest('email', given), [submission])
        ids = idsOf(outcome)
        if (outcome.outcome === 'repeated') return { id: ids[0]! }
      }
      events.accepted({
        request: requestIdOf(response),
        project: sender.projectId,
        messages: ids,
        recipients: submission.recipients.length,
        bytes: submission.raw.length,
      })
      return { id: ids[0]! }
    },
  })
}
