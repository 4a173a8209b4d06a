/** What /plans and /organizations/{id}/limits answer. */
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

const limits = {
  monthly_recipients: z
    .int()
    .min(0)
    .nullable()
    .meta({ description: 'Recipients a calendar month (UTC); null: no limit.' }),
  recipients_per_second: z
    .int()
    .min(1)
    .nullable()
    .meta({ description: 'Of each project and key; null: no limit.' }),
}

const plan = z.object({
  id,
  name: z.string(),
  ...limits,
  organizations: z.int().min(0).meta({ description: 'How many have it.' }),
  created_at: time,
})

export const planReply = plan.extend({ object: z.literal('plan') }).meta({ id: 'Plan' })
export const plansReply = listOf(plan).meta({ id: 'Plans' })
export const deletedPlanReply = z
  .object({ object: z.literal('plan'), id, deleted: z.literal(true) })
  .meta({ id: 'DeletedPlan' })

export const limitsReply = z
  .object({
    object: z.literal('limits'),
    organization_id: id,
    plan_id: id.nullable(),
    ...limits,
    trusted: z.boolean().meta({ description: 'A poor delivery rate does not stop it.' }),
    effective: z.object(limits).meta({ description: "What holds: its own limits, else the plan's." }),
  })
  .meta({ id: 'OrganizationLimits' })
