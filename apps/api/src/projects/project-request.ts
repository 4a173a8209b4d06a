/** What a client may set of a project. */
import type { ProjectChanges, ProjectOutcome } from '@postel/db/queries/projects'
import { priorities, priorityNames } from '@postel/mail/urgency'
import { z } from 'zod'
import { idOrName, nameField } from '../fields.ts'
import { fieldProblem, Problem } from '../problem.ts'
import { reportLevels, tlsLevels } from './replies.ts'

const daySeconds = 86_400
const daysMax = 3_650

const whole = (min: number, max: number) =>
  z
    .int({ error: `must be a whole number from ${min} to ${max}.` })
    .min(min, { error: `must be a whole number from ${min} to ${max}.` })
    .max(max, { error: `must be a whole number from ${min} to ${max}.` })

const settings = {
  pool: idOrName.optional().meta({
    description: 'The IP pool: the default one, or one that the organization uses already. Operators: any.',
  }),
  retry_schedule: z
    .array(whole(1, 7 * daySeconds), { error: 'must be an array of seconds.' })
    .min(1, { error: 'must have at least one wait.' })
    .max(50, { error: 'must have at most 50 waits.' })
    .nullable()
    .optional()
    .meta({ description: 'Seconds between tries; the last wait repeats. Null: the default schedule.' }),
  expire_after: whole(60, 30 * daySeconds)
    .optional()
    .meta({ description: 'Seconds after which what is not delivered expires.' }),
  priority: z
    .union([z.enum(priorityNames), whole(0, 100)], { error: 'must be high, normal, low, or from 0 to 100.' })
    .transform((value) => (typeof value === 'number' ? value : priorities[value]))
    .optional()
    .meta({ description: 'Of mail that names none; as a number, lower leaves first.' }),
  tls: z
    .enum(tlsLevels, { error: 'must be opportunistic or enforced.' })
    .optional()
    .meta({ description: 'enforced: mail leaves only over TLS with a good certificate.' }),
  reports: z.enum(reportLevels, { error: 'must be never, asked or failures.' }).optional().meta({
    description: 'Delivery reports by mail: where the sender asked for them by SMTP, or for every failure.',
  }),
  delay_notice_after: whole(60, 30 * daySeconds)
    .nullable()
    .optional()
    .meta({ description: 'Seconds after which the sender is told that mail is late; null: never.' }),
  retention_days: whole(1, daysMax)
    .nullable()
    .optional()
    .meta({ description: 'Days after which messages are deleted; null: as the installation has it.' }),
  body_retention_days: whole(0, daysMax).nullable().optional().meta({
    description: 'Days that bodies are kept; 0: until all is delivered; null: as long as the record.',
  }),
  unsubscribe: z
    .boolean({ error: 'must be true or false.' })
    .optional()
    .meta({ description: 'Mail to one recipient gets List-Unsubscribe with one click (RFC 8058).' }),
  recipients_per_second: whole(1, 1_000_000)
    .nullable()
    .optional()
    .meta({ description: 'Null: as the organization has it.' }),
}

export const createProjectRequest = z
  .object({ name: nameField, ...settings }, { error: 'must be a JSON object.' })
  .meta({ id: 'CreateProjectRequest' })

export const updateProjectRequest = z
  .object({ name: nameField.optional(), ...settings }, { error: 'must be a JSON object.' })
  .meta({ id: 'UpdateProjectRequest' })

export function readSettings(body: z.infer<typeof updateProjectRequest>): ProjectChanges {
  return {
    name: body.name,
    pool: body.pool,
    retryScheduleSeconds: body.retry_schedule,
    expireAfterSeconds: body.expire_after,
    priority: body.priority,
    tls: body.tls,
    reports: body.reports,
    delayNoticeAfterSeconds: body.delay_notice_after,
    retentionDays: body.retention_days,
    bodyRetentionDays: body.body_retention_days,
    unsubscribe: body.unsubscribe,
    recipientsPerSecond: body.recipients_per_second,
  }
}

/** The id of the project that was made or changed. */
export function idOfOutcome(outcome: ProjectOutcome): string {
  if (outcome === undefined) throw noProject()
  if (outcome === 'duplicate')
    throw new Problem('validation_error', 'There is a project of this name already.', { statusCode: 409 })
  if (outcome === 'no pool') throw fieldProblem({ field: 'pool', problem: 'It was not found.' })
  return outcome.id
}

export function noProject(): Problem {
  return new Problem('not_found', 'Project not found.')
}
