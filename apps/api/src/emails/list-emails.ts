/** GET /emails: the project's messages, newest first. */
import { listEmails as readEmails } from '@postel/db/queries/emails'
import { projectOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage } from '../paging.ts'
import { emailsReply } from './replies.ts'
import { showSummary } from './show-email.ts'

export const listEmails = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/emails',
    id: 'listEmails',
    tag: 'Emails',
    summary: 'List emails, newest first',
    access: 'read',
    query: uuidPage,
    reply: emailsReply,
    serve: async ({ caller, query }) => {
      const page = await readEmails(sql, projectOf(caller), oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showSummary) }
    },
  })
