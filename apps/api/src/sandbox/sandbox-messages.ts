/** GET /sandbox/messages: the mail that sandbox delivery put into the built-in mailbox, and what test keys sent. */
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
    summary: 'List what the built-in mailbox received, newest first (sandbox delivery, and test mail)',
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
    summary: 'Get a message of the built-in mailbox (sandbox delivery, and test mail)',
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

/**
 * An API key sees the mail of its project or organization; where mail is not delivered to the sandbox, only a test key has
 * any there, or a person. Whoever sits at the machine sees all of a sandbox without a key.
 */
async function scopeOf(request: Request, context: ApiContext): Promise<SandboxScope> {
  const { authorization, cookie } = request.headers
  if (authorization === undefined) {
    if (context.sandbox && isAtTheMachine(request)) return 'everything'
    if (!context.sandbox && cookie === undefined) throw noMailbox()
  }
  const caller = await authenticate(context, request, 'own')
  if (!context.sandbox && caller.credential?.test === false) throw noMailbox()
  return tenantOf(caller)
}

function noMailbox(): Problem {
  return new Problem(
    'not_found',
    'There is no mailbox: mail is not delivered to a sandbox, but for what test keys send.',
  )
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
