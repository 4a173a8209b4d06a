/** /webhooks: where events are told, and what was told. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { createWebhook, deleteWebhook, rotateSecret, updateWebhook } from './change-webhooks.ts'
import { getEvent, listAttempts, listEvents, replayEvent, testWebhook } from './events.ts'
import { getWebhook, listWebhooks } from './read-webhooks.ts'

export function webhookEndpoints(context: ApiContext): Endpoint[] {
  return [
    createWebhook(context),
    listWebhooks(context),
    getWebhook(context),
    updateWebhook(context),
    deleteWebhook(context),
    rotateSecret(context),
    testWebhook(context),
    listEvents(context),
    getEvent(context),
    listAttempts(context),
    replayEvent(context),
  ]
}
