/** outbound_processes: one row per running outbound process, with the queue rows that it is sending now. */
import { sql } from 'drizzle-orm'
import { bigint, text, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel } from './columns.ts'

export const outboundProcesses = postel.table('outbound_processes', {
  id: uuid().primaryKey(),
  nodeName: text().notNull(),
  startedAt: createdAt(),
  heartbeatAt: instant().notNull(),
  /** Ids of queue rows in flight, written at most every 250 ms: what a successor must treat as tried. */
  inFlight: bigint({ mode: 'bigint' }).array().notNull().default(sql`'{}'`),
})
