/** GET /emails/{id}: one message, its text and what became of each recipient. */
import { findEmail, readStoredMessage } from '@postel/db/queries/emails'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'
import { type Content, readContent } from './read-message.ts'
import { emailReply } from './replies.ts'
import { showEmail } from './show-email.ts'

export const getEmail = ({ sql, links, events }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/emails/{id}',
    id: 'getEmail',
    tag: 'Emails',
    summary: 'Get an email',
    access: 'read',
    params: uuidPath,
    reply: emailReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const tenant = tenantOf(caller)
      const email = await findEmail(sql, tenant, id)
      if (!email) throw new Problem('not_found', 'Email not found.')

      let content: Content = { html: null, text: null }
      const raw = await readStoredMessage(sql, tenant, id)
      if (raw)
        content = await readContent(links.without(raw)).catch((error: unknown) => {
          events.unreadable({ message: id }, error)
          return content
        })
      return showEmail(email, content)
    },
  })
