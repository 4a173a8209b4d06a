/** An operation in the shape of the replies. */
import type { OperationRow } from '@postel/db/queries/queue'
import type { OperationEntry } from './replies.ts'

export function showOperation({
  requestedBy,
  createdAt,
  finishedAt,
  ...operation
}: OperationRow): OperationEntry {
  return { ...operation, requested_by: requestedBy, created_at: createdAt, finished_at: finishedAt }
}
