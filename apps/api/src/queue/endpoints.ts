/** /queue: mail that is not final yet, and what can be done to it. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { getOperation, listOperations, stopOperation } from './operations.ts'
import { listQueueDomains, listQueueIps, listQueueMessages, listQueueStates } from './read-queue.ts'
import { steerQueue } from './steer-queue.ts'

export function queueEndpoints(context: ApiContext): Endpoint[] {
  return [
    listQueueStates(context),
    listQueueDomains(context),
    listQueueIps(context),
    listQueueMessages(context),
    ...steerQueue(context),
    listOperations(context),
    getOperation(context),
    stopOperation(context),
  ]
}
