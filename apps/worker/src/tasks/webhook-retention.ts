/** webhook_retention: each hour, removes what webhooks were told a month ago, and webhooks that were deleted. */
import type { TaskContext } from './task.ts'

const days = 30
const chunkRows = 5_000

/** Safe to be killed at any point. */
export async function forgetWebhooks({ webhooks, signal }: TaskContext): Promise<void> {
  while (!signal.aborted && (await webhooks.forget(days, chunkRows)) === chunkRows);
  await webhooks.forgetDeleted()
}
