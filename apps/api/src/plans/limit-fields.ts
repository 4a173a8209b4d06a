/** Limits as requests name them. */
import { z } from 'zod'

const most = 1_000_000_000

/** Null takes the limit away, or leaves it to the plan. */
export const limitFields = {
  monthly_recipients: z
    .int({ error: 'must be a whole number or null.' })
    .min(0, { error: 'must not be negative.' })
    .max(most * 1000, { error: 'is too large.' })
    .nullable()
    .optional(),
  recipients_per_second: z
    .int({ error: 'must be a whole number or null.' })
    .min(1, { error: 'must be at least 1.' })
    .max(most, { error: 'is too large.' })
    .nullable()
    .optional(),
}

export function asLimits({
  monthly_recipients,
  recipients_per_second,
}: {
  monthly_recipients?: number | null | undefined
  recipients_per_second?: number | null | undefined
}) {
  return { monthlyRecipients: monthly_recipients, recipientsPerSecond: recipients_per_second }
}

export function showLimits({
  monthlyRecipients,
  recipientsPerSecond,
}: {
  monthlyRecipients: number | null
  recipientsPerSecond: number | null
}) {
  return { monthly_recipients: monthlyRecipients, recipients_per_second: recipientsPerSecond }
}
