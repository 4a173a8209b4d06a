/** /emails: sending mail and what became of it. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { getEmail } from './get-email.ts'
import { listEmails } from './list-emails.ts'
import { sendBatch } from './send-batch.ts'
import { sendEmail } from './send-email.ts'

export function emailEndpoints(context: ApiContext): Endpoint[] {
  return [sendEmail(context), listEmails(context), sendBatch(context), getEmail(context)]
}
