/** What the endpoints of projects answer. */
import { priorityNames } from '@postel/mail/urgency'
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

export const tlsLevels = ['opportunistic', 'enforced'] as const
export const reportLevels = ['never', 'asked', 'failures'] as const

const project = z
  .object({
    id,
    name: z.string(),
    created_at: time,
    pool: z.string(),
    retry_schedule: z.array(z.int()).nullable(),
    expire_after: z.int(),
    priority: z.union([z.enum(priorityNames), z.int()]),
    tls: z.enum(tlsLevels),
    reports: z.enum(reportLevels),
    delay_notice_after: z.int().nullable(),
    retention_days: z.int().nullable(),
    body_retention_days: z.int().nullable(),
    unsubscribe: z.boolean(),
    recipients_per_second: z.int().nullable(),
  })
  .meta({ id: 'ProjectFields' })

export const projectsReply = listOf(project).meta({ id: 'Projects' })

export const projectReply = project.extend({ object: z.literal('project') }).meta({ id: 'Project' })

export const changedProjectReply = z
  .object({ object: z.literal('project'), id })
  .meta({ id: 'ChangedProject' })

export const removedProjectReply = z
  .object({
    object: z.literal('project'),
    id,
    deleted: z.literal(true),
    cancelled_recipients: z.int().meta({ description: 'Recipients whose mail was still waiting.' }),
  })
  .meta({ id: 'RemovedProject' })

export type ProjectFields = z.infer<typeof project>
