/**
 * retention: deletes bodies and messages that their project keeps for a shorter time than RETENTION_DAYS, in chunks that are a
 * transaction each, so nobody waits long for them. What is still to be delivered is never touched. Safe to run at any time
 * and twice at once; what is too much for one run is left to the next.
 */
import { readableEvents } from './reports.ts'
import type { TaskContext } from './task.ts'

const runSeconds = 40

export async function keepRetention({ reports, retention, events, signal }: TaskContext): Promise<void> {
  const deadline = performance.now() + runSeconds * 1000
  const mayGoOn = () => !signal.aborted && performance.now() < deadline
  let bodies = 0
  let messages = 0
  const { until, complete } = await readableEvents(reports)
  const projects = await retention.projects()
  if (complete) {
    for (let last = ''; last < until && mayGoOn(); ) {
      const { lastId, deleted } = await retention.finalBodies(until)
      last = lastId
      bodies += deleted
    }
    for (const { id } of projects.filter((project) => project.bodies))
      for (let done = false; !done && mayGoOn(); ) {
        const chunk = await retention.bodies(id, until)
        done = chunk.done
        bodies += chunk.deleted
      }
  }
  for (const { id } of projects.filter((project) => project.messages))
    for (let done = false; !done && mayGoOn(); ) {
      const chunk = await retention.messages(id)
      done = chunk.done
      messages += chunk.deleted
    }
  events.retained(bodies, messages)
}
