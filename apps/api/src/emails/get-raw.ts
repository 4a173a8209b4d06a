/** GET /emails/{id}/raw: the MIME message, as it was stored. */
import { readStoredMessage } from '@postel/db/queries/emails'
import { z } from 'zod'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'

export const getRaw = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/emails/{id}/raw',
    id: 'getRawEmail',
    tag: 'Emails',
    summary: 'Get the MIME message',
    description: 'Not in Resend. As it was stored: what is sent has a DKIM signature beyond that.',
    access: 'read',
    params: uuidPath,
    reply: z.string(),
    replyType: 'message/rfc822',
    problems: [404],
    serve: async ({ caller, params: { id }, response }) => {
      const raw = await readStoredMessage(sql, tenantOf(caller), id)
      if (!raw) throw new Problem('not_found', 'Email not found, or its content is not kept any more.')
      response
        .set({ 'content-type': 'message/rfc822', 'content-disposition': `attachment; filename="${id}.eml"` })
        .send(raw)
      return undefined
    },
  })
