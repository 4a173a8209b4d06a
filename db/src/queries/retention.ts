/** What the worker asks for to keep projects' own retention: bodies and records that go before RETENTION_DAYS is over. */
import type { Sql } from '../client.ts'

export const retentionChunks = { messages: 1_000, bodies: 2_000, events: 20_000 } as const

export class RetentionQueries {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The projects that keep bodies, or records, for a time of their own. */
  async projects(): Promise<{ id: string; bodies: boolean; messages: boolean }[]> {
    return this.#sql<{ id: string; bodies: boolean; messages: boolean }[]>`
      select p.id, p.body_retention_days is not null as bodies, p.retention_days is not null as messages
      from postel.projects p
      where p.body_retention_days is not null or p.retention_days is not null
      order by p.id`
  }

  /** A chunk; see postel.retention_final_bodies. */
  async finalBodies(until: string): Promise<{ lastId: string; deleted: number }> {
    const [row] = await this.#sql<{ lastId: string; deleted: number }[]>`
      select r.last_id as "lastId", r.deleted
      from postel.retention_final_bodies(${until}::uuid, ${retentionChunks.events}) as r`
    return row!
  }

  /** A chunk; `done` when there was less. See postel.retention_bodies. */
  async bodies(projectId: string, until: string): Promise<{ done: boolean; deleted: number }> {
    const [row] = await this.#sql<{ lookedAt: number; deleted: number }[]>`
      select r.looked_at as "lookedAt", r.deleted
      from postel.retention_bodies(${projectId}, ${until}::uuid, ${retentionChunks.bodies}) as r`
    return { done: row!.lookedAt < retentionChunks.bodies, deleted: row!.deleted }
  }

  /** A chunk; `done` when there was less. See postel.retention_messages. */
  async messages(projectId: string): Promise<{ done: boolean; deleted: number }> {
    const [row] = await this.#sql<{ deleted: number }[]>`
      select postel.retention_messages(${projectId}, ${retentionChunks.messages}) as deleted`
    return { done: row!.deleted < retentionChunks.messages, deleted: row!.deleted }
  }
}
