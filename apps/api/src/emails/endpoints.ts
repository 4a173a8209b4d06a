/** /emails: sending mail and what became of it. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { downloadAttachment, getAttachment, listAttachments } from './attachments.ts'
import { cancelEmail } from './cancel-email.ts'
import { getEmail } from './get-email.ts'
import { getRaw } from './get-raw.ts'
import { listEmails } from './list-emails.ts'
import { listEvents } from './list-events.ts'
import { resendEmail } from './resend-email.ts'
import { sendBatch } from './send-batch.ts'
import { sendEmail } from './send-email.ts'
import { shareEmail, showSharedEmail } from './share-email.ts'
import { updateEmail } from './update-email.ts'

export function emailEndpoints(context: ApiContext): Endpoint[] {
  return [
    sendEmail,
    listEmails,
    sendBatch,
    getEmail,
    updateEmail,
    cancelEmail,
    listEvents,
    getRaw,
    resendEmail,
    listAttachments,
    getAttachment,
    shareEmail,
    downloadAttachment,
    showSharedEmail,
  ].map((make) => make(context))
}
