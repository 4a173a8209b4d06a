/** PATCH /emails/{id}: another time for what is scheduled. */
import { findEmail, rescheduleEmail } from '@postel/db/queries/emails'
import { RetrySchedule } from '@postel/db/queries/retry-schedule'
import { z } from 'zod'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { scheduledAt, withResendNames } from './email-request.ts'
import { changedReply } from './replies.ts'
import { showSummary } from './show-email.ts'

const updateRequest = z
  .object({ scheduled_at: scheduledAt }, { error: 'must be a JSON object.' })
  .meta({ id: 'UpdateEmailRequest' })
const body = bodyOf(updateRequest)

export const updateEmail = ({ sql, events }: ApiContext) => {
  const schedule = new RetrySchedule(sql, (error) => events.hintLost(error))
  return endpoint({
    method: 'patch',
    path: '/emails/{id}',
    id: 'updateEmail',
    tag: 'Emails',
    summary: 'Change when a scheduled email is sent',
    description: 'What is in the past is sent at once. expires_in counts from the new time.',
    access: 'write',
    params: uuidPath,
    body: { ...body, parse: (given) => body.parse(withResendNames(given)) },
    reply: changedReply,
    problems: [404],
    serve: async ({ caller, params: { id }, body: { scheduled_at } }) => {
      const change = { tenant: tenantOf(caller), actor: caller.actor, id }
      const due = await rescheduleEmail(sql, change, new Date(scheduled_at))
      if (due === undefined) {
        const email = await findEmail(sql, change.tenant, id)
        if (!email) throw new Problem('not_found', 'Email not found.')
        throw new Problem(
          'validation_error',
          `Only scheduled emails can be updated: this one is ${showSummary(email).last_event}.`,
        )
      }
      await schedule.add([due])
      return { object: 'email', id }
    },
  })
}
