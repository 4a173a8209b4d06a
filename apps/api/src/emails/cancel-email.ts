/** POST /emails/{id}/cancel: what is scheduled is not sent. */
import { cancelEmail as cancel, findEmail } from '@postel/db/queries/emails'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'
import { changedReply } from './replies.ts'
import { showSummary } from './show-email.ts'

export const cancelEmail = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/emails/{id}/cancel',
    id: 'cancelEmail',
    tag: 'Emails',
    summary: 'Cancel a scheduled email',
    access: 'write',
    params: uuidPath,
    reply: changedReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const tenant = tenantOf(caller)
      if (!(await cancel(sql, { tenant, actor: caller.actor, id }))) {
        const email = await findEmail(sql, tenant, id)
        if (!email) throw new Problem('not_found', 'Email not found.')
        throw new Problem(
          'validation_error',
          `Only scheduled emails can be canceled: this one is ${showSummary(email).last_event}.`,
        )
      }
      return { object: 'email', id }
    },
  })
