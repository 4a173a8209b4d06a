/**
 * moderation: stops the sending of organizations whose mail ends badly, and sees to it that mail follows the status of its
 * organization, also what was accepted in the moment of the change. Safe to run at any time and twice at once.
 */
import { readableEvents } from './reports.ts'
import type { TaskContext } from './task.ts'

export async function moderate({ config, reports, moderation, events }: TaskContext): Promise<void> {
  const { until, complete } = await readableEvents(reports)
  if (complete) await moderation.count(until)
  const stopped = await moderation.stopPoor({
    hours: config.MODERATION_WINDOW_HOURS,
    recipients: config.MODERATION_MIN_RECIPIENTS,
    invalidPercent: config.MODERATION_INVALID_PERCENT,
    complaintPercent: config.MODERATION_COMPLAINT_PERCENT,
  })
  for (const organization of stopped) events.organizationStopped(organization)
  await moderation.enforce()
}
