/** GET /emails/{id}: one message, its text and what became of each recipient. */
import { findEmail, readStoredMessage } from '@postel/db/queries/emails'
import type { RequestHandler } from 'express'
import { principalOf } from './authenticate.ts'
import type { ApiContext } from './context.ts'
import { emailPath, readId } from './paging.ts'
import { Problem } from './problem.ts'
import { type Content, readContent } from './read-message.ts'
import { showEmail } from './show-email.ts'

export function getEmail({ sql, events }: ApiContext): RequestHandler {
  return async (request, response) => {
    const principal = principalOf(response)
    const id = readId(emailPath, request)
    const email = await findEmail(sql, principal, id)
    if (!email) throw new Problem('not_found', 'Email not found.')

    let content: Content = { html: null, text: null }
    const raw = await readStoredMessage(sql, principal, id)
    if (raw)
      content = await readContent(raw).catch((error: unknown) => {
        events.unreadable({ message: id }, error)
        return content
      })
    response.json(showEmail(email, content))
  }
}
