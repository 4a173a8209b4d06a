/** /unsubscribe/{token}: one-click unsubscription (RFC 8058), by mail programs and by people, without any login. */
import { unsubscribe as storeWish } from '@postel/db/queries/tracking'
import type { LinkToken } from '@postel/mail/tracking-token'
import type { Request, Response } from 'express'
import { z } from 'zod'
import { clientAddress } from '../client-address.ts'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Problem } from '../problem.ts'
import { userAgent } from '../tracking/visitor.ts'
import { sendPage } from './page.ts'

const path = '/unsubscribe/{token}'
const params = z.object({ token: z.string() })
const tag = 'Recipients'
const page = { reply: z.string(), replyType: 'text/html', access: 'anyone', problems: [404] } as const

export function unsubscribeEndpoints({ sql, links }: ApiContext): Endpoint[] {
  const read = (token: string, request: Request, response: Response): LinkToken | undefined => {
    const found = links.tokens.read('unsubscribe', token)
    if (found) return found
    if (!prefersHtml(request)) throw new Problem('not_found', 'This link is not valid.')
    sendPage(response, 404, {
      title: 'This link is not valid',
      text: 'It may have been cut off. Please use the link as it is in the message.',
    })
    return undefined
  }
  return [
    endpoint({
      method: 'get',
      path,
      id: 'showUnsubscribe',
      tag,
      summary: 'The page behind the link in List-Unsubscribe',
      description: 'Changes nothing: links are also followed by programs that look for malware.',
      params,
      ...page,
      serve: async ({ params: { token }, request, response }) => {
        const found = read(token, request, response)
        if (found)
          sendPage(response, 200, {
            title: 'Unsubscribe',
            text: `Do you want no more mail of this kind to ${found.text}?`,
            button: 'Unsubscribe',
          })
        return undefined
      },
    }),
    endpoint({
      method: 'post',
      path,
      id: 'unsubscribe',
      tag,
      summary: 'Take the recipient off the mail of the project that wrote to it',
      description: 'The token is all that counts: a body is not read. Safe to repeat.',
      params,
      ...page,
      serve: async ({ params: { token }, request, response }) => {
        const found = read(token, request, response)
        if (!found) return undefined
        await storeWish(sql, found, found.text, {
          ip_address: clientAddress(request),
          user_agent: userAgent(request),
        })
        sendPage(response, 200, {
          title: 'You are unsubscribed',
          text: `No more mail of this kind goes to ${found.text}.`,
        })
        return undefined
      },
    }),
  ]
}

/** Whether a person looks at it, rather than a program. */
function prefersHtml(request: Request): boolean {
  return request.headers.accept !== undefined && request.accepts(['json', 'html']) === 'html'
}
