/** The parameters that narrow GET /emails: what each of them matches, and the filter that they make. */
import type { EmailFilter, MessageEvent } from '@postel/db/queries/emails'
import { z } from 'zod'
import 'zod-openapi'
import { uuidPage } from '../paging.ts'
import { lastEvents } from './replies.ts'

/** What of ours each of Resend's words stands for. */
const eventsOf: Record<(typeof lastEvents)[number], readonly MessageEvent[]> = {
  queued: ['queued', 'held'],
  scheduled: ['scheduled'],
  delivery_delayed: ['deferred'],
  delivered: ['delivered'],
  opened: ['opened'],
  clicked: ['clicked'],
  complained: ['complained'],
  bounced: ['bounced', 'expired'],
  failed: ['failed'],
  canceled: ['cancelled'],
  suppressed: ['suppressed'],
}

/** JSON in Postgres cannot carry the rest. */
const text = z
  .string({ error: 'must be given once.' })
  .min(1, { error: 'must not be empty.' })
  .max(1_000, { error: 'must have at most 1000 characters.' })
  .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), {
    error: 'must not have control characters.',
  })

const moment = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with a time zone, like 2026-11-30T08:00:00Z.' })
  .meta({ example: '2026-11-30T08:00:00Z' })

const statuses = text
  .transform((value) => value.split(','))
  .pipe(z.array(z.enum(lastEvents, { error: `must be one or several of ${lastEvents.join(', ')}.` })))
  .meta({ override: { type: 'string' }, example: 'bounced,complained' })

const ignoringCase = 'ASCII letters in either case are the same.'

export const emailsQuery = uuidPage.extend({
  recipient: text.optional().meta({
    description: `The address of a recipient, also in cc or bcc: all of it. ${ignoringCase}`,
    example: 'bob@example.com',
  }),
  sender: text.optional().meta({
    description: `The address of the envelope's sender, which is that of \`from\` for mail sent here: all of it. ${ignoringCase}`,
  }),
  subject: text.optional().meta({ description: `All of the subject. ${ignoringCase}` }),
  tag: text
    .regex(/^[^:]+:/s, { error: 'must be name:value.' })
    .optional()
    .meta({ description: 'A tag as `name:value`.', example: 'category:welcome' }),
  status: statuses.optional().meta({ description: 'What `last_event` is: one, or several with commas.' }),
  source: z
    .enum(['smtp', 'rest', 'sql', 'report', 'system'], {
      error: 'must be smtp, rest, sql, report or system.',
    })
    .optional()
    .meta({ description: 'How it was submitted; `report`: a delivery report of ours to a sender.' }),
  created_after: moment.optional().meta({ description: 'Submitted then or later.' }),
  created_before: moment.optional().meta({ description: 'Submitted earlier than that.' }),
  project: text.optional().meta({
    description: 'The id or name of a project, for keys of the whole organization. Default: all of them.',
  }),
})

type Query = z.infer<typeof emailsQuery>

/** All of it must be so of a message. */
export function filterOf(query: Query): EmailFilter {
  const { recipient, sender, subject, tag, source, status, created_after, created_before } = query
  return {
    ...(recipient !== undefined && { recipient }),
    ...(sender !== undefined && { sender }),
    ...(subject !== undefined && { subject }),
    ...(tag !== undefined && { tag }),
    ...(source !== undefined && { source }),
    ...(status !== undefined && { events: [...new Set(status.flatMap((word) => eventsOf[word]))] }),
    ...(created_after !== undefined && { createdAfter: new Date(created_after) }),
    ...(created_before !== undefined && { createdBefore: new Date(created_before) }),
  }
}
