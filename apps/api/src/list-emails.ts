/** GET /emails: the project's messages, newest first. */
import { listEmails as readEmails } from '@postel/db/queries/emails'
import type { RequestHandler } from 'express'
import { principalOf } from './authenticate.ts'
import type { ApiContext } from './context.ts'
import { emailPage, readPage } from './paging.ts'
import type { Emails } from './replies.ts'
import { showSummary } from './show-email.ts'

export function listEmails({ sql }: ApiContext): RequestHandler {
  return async (request, response) => {
    const page = await readEmails(sql, principalOf(response), readPage(emailPage, request))
    response.json({
      object: 'list',
      has_more: page.hasMore,
      data: page.rows.map(showSummary),
    } satisfies Emails)
  }
}
