/** Where tracked links and images lead: /c/{token} and /o/{file}, under the tracking host of a sender's domain. */
import type { Activity } from '@postel/db/queries/tracking'
import type { LinkToken, TokenKind } from '@postel/mail/tracking-token'
import type { Request } from 'express'
import { z } from 'zod'
import { clientAddress } from '../client-address.ts'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { Problem } from '../problem.ts'
import { userAgent } from './visitor.ts'

const tag = 'Recipients'

/** GIF89a of one transparent pixel. */
const pixel = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')

export function trackingEndpoints({ links, activity }: ApiContext): Endpoint[] {
  const read = (kind: TokenKind, text: string): LinkToken => {
    const token = links.tokens.read(kind, text)
    if (!token) throw new Problem('not_found', 'This link is not valid.')
    return token
  }
  const note = (request: Request, token: LinkToken, type: Activity['type'], link?: string) => {
    // HEAD comes from programs that only look whether a link is good
    if (request.method !== 'GET') return
    const { projectId, ref, at, number } = token
    const data = {
      ip_address: clientAddress(request),
      user_agent: userAgent(request),
      timestamp: new Date().toISOString(),
      ...(link !== undefined && { link }),
    }
    activity.add({ projectId, ref, at, number, type, data })
  }
  return [
    endpoint({
      method: 'get',
      path: '/c/{token}',
      id: 'followLink',
      tag,
      summary: 'Leads on to where a tracked link went',
      description:
        'Only to what stands in a token of ours, so it cannot be made to lead anywhere else. Programs that look for malware follow links too, and count as clicks.',
      access: 'anyone',
      params: z.object({ token: z.string() }),
      reply: z.string(),
      replyType: 'text/plain',
      status: 302,
      problems: [404],
      serve: async ({ params, request, response }) => {
        const token = read('click', params.token)
        note(request, token, 'clicked', token.text)
        response
          .status(302)
          .set({
            location: new URL(token.text).href,
            'referrer-policy': 'no-referrer',
            'x-robots-tag': 'noindex',
          })
          .type('text')
          .send('')
        return undefined
      },
    }),
    endpoint({
      method: 'get',
      path: '/o/{file}',
      id: 'openPixel',
      tag,
      summary: 'The image that counts openings',
      description:
        'Mail programs that load images ahead, as Apple Mail with its privacy protection does, count as openings; those that load none do not.',
      access: 'anyone',
      params: z.object({ file: z.string() }),
      reply: z.string(),
      replyType: 'image/gif',
      problems: [404],
      serve: async ({ params: { file }, request, response }) => {
        const token = read('open', file.replace(/\.gif$/, ''))
        note(request, token, 'opened')
        response.type('image/gif').send(pixel)
        return undefined
      },
    }),
  ]
}
