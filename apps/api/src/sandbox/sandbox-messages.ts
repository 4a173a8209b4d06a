/** GET /sandbox/messages: the mail that sandbox delivery put into the built-in mailbox. */
import {
  findSandboxMessage,
  listSandboxMessages,
  type SandboxScope,
  type SandboxSummary,
} from '@postel/db/queries/sandbox'
import type { Request } from 'express'
import { authenticate } from '../authenticate.ts'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { type Content, readContent, readHeaders, readSubject } from '../emails/read-message.ts'
import { endpoint } from '../endpoint.ts'
import { numberPage, numberPath, oneCursor } from '../paging.ts'
import { Problem } from '../problem.ts'
import { type SandboxMessages, sandboxMessageReply, sandboxMessagesReply } from './replies.ts'

export const listSandbox = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/sandbox/messages',
    id: 'listSandboxMessages',
    tag: 'Sandbox',
    summary: 'List what the built-in mailbox received, newest first (sandbox delivery only)',
    access: 'own',
    query: numberPage,
    reply: sandboxMessagesReply,
    problems: [401, 403, 404],
    serve: async ({ request, query }) => {
      const page = await listSandboxMessages(context.sql, await scopeOf(request, context), oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showSummary) }
    },
  })

export const getSandboxMessage = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/sandbox/messages/{id}',
    id: 'getSandboxMessage',
    tag: 'Sandbox',
    summary: 'Get a message of the built-in mailbox (sandbox delivery only)',
    access: 'own',
    params: numberPath,
    reply: sandboxMessageReply,
    problems: [401, 403, 404],
    serve: async ({ request, params: { id } }) => {
      const scope = await scopeOf(request, context)
      const message = await findSandboxMessage(context.sql, scope, id)
      if (!message) throw new Problem('not_found', 'Message not found.')
      const unreadable: Content = { html: null, text: null }
      const content = await readContent(message.raw).catch((error: unknown) => {
        context.events.unreadable({ message: `sandbox ${id}` }, error)
        return unreadable
      })
      return {
        object: 'sandbox_message',
        ...showSummary(message),
        ...content,
        headers: readHeaders(message.raw),
      }
    },
  })

/** An API key sees its organization's mail. Whoever sits at the machine sees all of it without one. */
async function scopeOf(request: Request, context: ApiContext): Promise<SandboxScope> {
  if (!context.sandbox)
    throw new Problem('not_found', 'There is no mailbox: mail is not delivered to a sandbox.')
  if (request.headers.authorization === undefined && isAtTheMachine(request)) return 'everything'
  const { organizationId } = tenantOf(await authenticate(context.credentials, request, 'send'))
  return { organizationId }
}

function isAtTheMachine(request: Request): boolean {
  const { headers, socket } = request
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return false
  if (!/^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(socket.remoteAddress ?? '')) return false
  // A page elsewhere can point its own name at 127.0.0.1; the browser then still says that name here.
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i.test(headers.host ?? '')
}

function showSummary(message: SandboxSummary): SandboxMessages['data'][number] {
  return {
    id: message.id,
    received_at: message.receivedAt,
    message_id: message.messageId,
    from: message.envelopeFrom,
    to: message.recipients,
    subject: readSubject(message.head),
    client_address: message.clientAddress,
    ehlo_name: message.ehloName,
  }
}
