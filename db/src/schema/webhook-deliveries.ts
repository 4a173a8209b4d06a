/** webhook_deliveries: one event on its way to one webhook. Its id is the webhook-id header, the same at each attempt. */
import { sql } from 'drizzle-orm'
import { check, index, integer, smallint, text, unique, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel, uuidV7 } from './columns.ts'
import { webhooks } from './webhooks.ts'

export const webhookDeliveries = postel.table(
  'webhook_deliveries',
  {
    id: uuidV7().primaryKey(),
    webhookId: uuid()
      .notNull()
      .references(() => webhooks.id, { onDelete: 'cascade' }),
    /** events.id; null for a test event. */
    eventId: uuid(),
    type: text().notNull(),
    /** The body, byte for byte the same at each attempt. */
    payload: text().notNull(),
    state: text().notNull().default('pending'),
    attempts: smallint().notNull().default(0),
    /** When the next attempt is due, a short time ahead while one is being made; null when there is none. */
    nextAttemptAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    unique('webhook_deliveries_event_once').on(t.webhookId, t.eventId, t.type),
    index('webhook_deliveries_webhook_id_id').on(t.webhookId, t.id),
    index('webhook_deliveries_due').on(t.webhookId, t.nextAttemptAt, t.id).where(sql`${t.state} = 'pending'`),
    check('webhook_deliveries_state_valid', sql`${t.state} in ('pending', 'delivered', 'failed')`),
  ],
)

/** webhook_attempts: what each try met. */
export const webhookAttempts = postel.table(
  'webhook_attempts',
  {
    id: uuidV7().primaryKey(),
    deliveryId: uuid()
      .notNull()
      .references(() => webhookDeliveries.id, { onDelete: 'cascade' }),
    at: createdAt(),
    durationMs: integer().notNull(),
    /** Null when no reply came. */
    statusCode: smallint(),
    /** Why it counts as failed. */
    error: text(),
    /** The beginning of the reply's body. */
    responseBody: text(),
  },
  (t) => [index('webhook_attempts_delivery_id').on(t.deliveryId, t.id)],
)
