/** Column types and the schema object that all tables share. */
import { sql } from 'drizzle-orm'
import { customType, pgSchema, timestamp, uuid } from 'drizzle-orm/pg-core'

/** Everything of Postel lives in this Postgres schema. */
export const postel = pgSchema('postel')

export const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/** A UUIDv7 made by the database's clock, so that a skewed process cannot miss a partition. */
export const uuidV7 = () => uuid().notNull().default(sql`postel.uuid_v7()`)

export const instant = () => timestamp({ withTimezone: true, mode: 'date' })
export const createdAt = () => instant().notNull().default(sql`now()`)
