/** POST /queue/hold, release, cancel, bounce and retry: operations on all mail that a filter means. */
import { type QueueScope, type QueueVerb, queueVerbs, scopeOfProject, steer } from '@postel/db/queries/queue'
import { z } from 'zod'
import type { Caller } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { domainPattern, ipAddress, line, reason } from '../operator-fields.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { orRefuse } from '../refusals.ts'
import { theOperation } from './operations.ts'
import { operationReply } from './replies.ts'
import { scopeOf } from './scope.ts'
import { showOperation } from './show-operation.ts'

const olderThanMax = 365 * 86_400
const address = line(320)

const filter = {
  project_id: z.guid({ error: 'must be a valid UUID.' }).optional(),
  message_id: z.guid({ error: 'must be a valid UUID.' }).optional(),
  domain: domainPattern
    .optional()
    .meta({ description: 'Of the recipient; `*.example.com`: all below.', example: 'example.com' }),
  ip: ipAddress.optional().meta({ description: 'One of our source IPs.', example: '192.0.2.1' }),
  sender: address
    .regex(/^([^@]+|\*)@[^@]+$/, { error: 'must be an address, or `*@example.com` for all of a domain.' })
    .optional()
    .meta({ description: 'Of the envelope; `*@example.com`: all of a domain.' }),
  recipient: address
    .regex(/^.+@[^@]+$/, { error: 'must be an address.' })
    .optional()
    .meta({ description: 'Of a message to several only this one.' }),
  older_than_seconds: z
    .int({ error: 'must be a whole number.' })
    .min(0, { error: 'must not be negative.' })
    .max(olderThanMax, { error: `must be at most ${olderThanMax}.` })
    .optional()
    .meta({ description: 'Since it was submitted.' }),
}

const filterRequest = z
  .object(
    {
      ...filter,
      reason: reason
        .optional()
        .meta({ description: 'Kept with what is held, cancelled and bounced, for whoever asks later.' }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'QueueFilterRequest' })

const verbs: Record<QueueVerb, { summary: string; description: string }> = {
  hold: {
    summary: 'Hold mail: it is not sent until it is released',
    description: 'Mail that is being sent at this moment is held too, but its result still counts.',
  },
  release: {
    summary: 'Release held mail',
    description: 'It goes on from where it was, and has the time that it was held added to its expiry.',
  },
  cancel: {
    summary: 'Cancel mail for good',
    description: 'What is being sent at this moment is left out.',
  },
  bounce: {
    summary: 'Bounce mail: it fails for good, with the reason as its last reply',
    description: 'What is being sent at this moment is left out.',
  },
  retry: {
    summary: 'Try deferred mail now',
    description: 'Held and scheduled mail stays where it is.',
  },
}

const filterNote =
  'All given filters together decide; at least one is needed. The mail is that of the project or organization of the key; an operator that names none reaches all. Up to 10,000 messages are done when the reply comes, more go on in the background: see `GET /queue/operations/{id}`.'

export const steerQueue = ({ sql }: ApiContext): Endpoint[] =>
  queueVerbs.map((verb) =>
    endpoint({
      method: 'post',
      path: `/queue/${verb}`,
      id: `${verb}Mail`,
      tag: 'Queue',
      summary: verbs[verb].summary,
      description: `${verbs[verb].description} ${filterNote}`,
      access: 'write',
      body: bodyOf(filterRequest),
      reply: operationReply,
      status: 202,
      problems: [404],
      serve: async ({ caller, body }) => {
        const { project_id, message_id, domain, ip, sender, recipient, older_than_seconds } = body
        const filters = {
          messageId: message_id,
          domain,
          ip,
          sender,
          recipient,
          olderThanSeconds: older_than_seconds,
        }
        if (project_id === undefined && Object.values(filters).every((each) => each === undefined))
          throw new Problem('missing_required_field', `Say which mail: give at least one of ${names}.`)
        const scope = await narrowed(sql, caller, project_id)
        const id = await orRefuse(steer(sql, caller.actor, scope, verb, filters, body.reason ?? null))
        return { object: 'queue_operation', ...showOperation(await theOperation(sql, scope, id)) }
      },
    }),
  )

const names = Object.keys(filter).join(', ')

/** The caller's scope, or one project of it; throws 404 for a project that is not in it. */
async function narrowed(
  sql: ApiContext['sql'],
  caller: Caller,
  projectId: string | undefined,
): Promise<QueueScope> {
  const scope = scopeOf(caller)
  if (projectId === undefined) return scope
  const project = await scopeOfProject(sql, scope, projectId)
  if (!project) throw new Problem('not_found', 'Project not found.')
  return project
}
