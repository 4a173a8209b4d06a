/** partitions: each hour, makes the day partitions ahead and drops those past their retention, and with them what else has had its day. */
import type { TaskContext } from './task.ts'

/** A partition that cannot be locked within two seconds is left for the next hour. */
export async function keepPartitions({ config, queries, events }: TaskContext): Promise<void> {
  events.partitionsMade(await queries.createPartitions())
  for (const { parent, partition } of await queries.expiredPartitions(config.RETENTION_DAYS)) {
    try {
      await queries.dropPartition(parent, partition)
      events.partitionDropped(partition)
    } catch (error) {
      events.partitionKept(partition, error)
    }
  }
  await queries.dropExpiredKeys()
  await queries.dropDeadProcesses()
  await queries.dropOldNotes()
  await queries.dropOldOperations()
}
