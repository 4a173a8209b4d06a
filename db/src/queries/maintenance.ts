/** What the worker asks of Postgres. */

import { sealSmarthost } from '@postel/runtime/sealed-smarthost'
import type { SecretBox } from '@postel/runtime/secret-box'
import { connectApart, type Sql } from '../client.ts'

/** Rows that one transaction changes: it is short, and nobody waits long for them. */
const chunkRows = 5_000

export class MaintenanceQueries {
  readonly #sql: Sql

  /** `sql` must be a direct connection: a partition is detached outside any transaction. */
  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Moves at most `limit` due rows from waiting to queue; see postel.release_due. */
  async releaseDue(limit: number): Promise<{ moved: number; ipIds: number[] }> {
    const [row] = await this.#sql<{ moved: number; ipIds: number[] | null }[]>`
      select r.moved, r.ip_ids as "ipIds" from postel.release_due(${limit}) as r`
    return { moved: row!.moved, ipIds: row!.ipIds ?? [] }
  }

  /**
   * Ends suspensions whose time has come, expires what is too old and moves mail off IPs that do not send, in chunks,
   * until nothing is left; see the functions of the same names.
   */
  async rescueStranded(): Promise<void> {
    await this.#sql`select postel.end_suspensions()`
    const sql = this.#sql
    const steps = [
      () => sql<{ rows: number }[]>`select postel.expire_queued(${chunkRows}) as rows`,
      () => sql<{ rows: number }[]>`select postel.expire_waiting(${chunkRows}) as rows`,
      () => sql<{ rows: number }[]>`select postel.requeue_orphans(${chunkRows}) as rows`,
    ]
    for (const step of steps) {
      for (;;) {
        const [row] = await step()
        if (row!.rows < chunkRows) break
      }
    }
  }

  /** The source IPs that have mail in the queue. */
  async ipsWithMail(): Promise<number[]> {
    const [row] = await this.#sql<{ ipIds: number[] | null }[]>`select postel.sweep() as "ipIds"`
    return row!.ipIds ?? []
  }

  /** Seals the passwords of smarthosts that were written in psql. One that is edited meanwhile is left to the next call. */
  async sealSmarthosts(box: SecretBox): Promise<number> {
    const rules = await this.#sql<{ id: number; smarthost: string }[]>`
      select r.id, r.smarthost from postel.destination_rules r where r.smarthost is not null order by r.id`
    let count = 0
    for (const { id, smarthost } of rules) {
      const sealed = sealSmarthost(smarthost, box)
      if (sealed === smarthost) continue
      // Nobody is told: outbound reads both
      const done = await this.#sql`
        update postel.destination_rules set smarthost = ${sealed} where id = ${id} and smarthost = ${smarthost}`
      count += done.count
    }
    return count
  }

  /** Makes missing day partitions; returns how many. */
  async createPartitions(): Promise<number> {
    const [row] = await this.#sql<{ made: number }[]>`select postel.create_partitions() as made`
    return row!.made
  }

  /** The partitions past their retention without live mail, oldest first. */
  expiredPartitions(retentionDays: number): Promise<{ parent: string; partition: string }[]> {
    return this.#sql<{ parent: string; partition: string }[]>`
      select e.parent, e.partition from postel.expired_partitions(${retentionDays}) as e`
  }

  /**
   * Drops a partition without stopping the tables' traffic. A role that owns them detaches it first, and may wait for locks
   * for two seconds; a detach that was cut short is finished by the next call. Another asks postel.drop_partition, which
   * waits less. Rejects when the locks cannot be had.
   */
  async dropPartition(parent: string, partition: string): Promise<void> {
    const own = connectApart(this.#sql, { lock_timeout: '2s' })
    try {
      const [state] = await own<{ pending: boolean; owned: boolean }[]>`
        select i.inhdetachpending as pending, pg_has_role(c.relowner, 'usage') as owned
        from pg_inherits i join pg_class c on c.oid = i.inhparent
        where i.inhrelid = to_regclass(${`postel.${partition}`})`
      if (state && !state.owned)
        return void (await own`select postel.drop_partition(${parent}, ${partition})`)
      if (state)
        await own`
          alter table postel.${own(parent)} detach partition postel.${own(partition)}
          ${state.pending ? own`finalize` : own`concurrently`}`
      await own`drop table if exists postel.${own(partition)}`
    } finally {
      await own.end({ timeout: 1 })
    }
  }

  /** Outbound processes that went silent a day ago and hold nothing. */
  async dropDeadProcesses(): Promise<void> {
    await this.#sql`
      delete from postel.outbound_processes p
      where p.heartbeat_at < now() - interval '1 day'
        and not exists (select from postel.ip_holders h where h.process_id = p.id)`
  }

  /** The record of bulk operations that ended a month ago. */
  async dropOldOperations(): Promise<void> {
    await this.#sql`delete from postel.operations where finished_at < now() - interval '30 days'`
  }

  /** What was learned of sites a day ago, and destinations that nobody has asked for in a month. */
  async dropOldNotes(): Promise<void> {
    await this.#sql`delete from postel.ip_sites where updated_at < now() - interval '1 day'`
    await this.#sql`delete from postel.destinations where seen_at < now() - interval '30 days'`
  }

  /** Idempotency keys older than a day. */
  async dropExpiredKeys(): Promise<void> {
    await this.#sql`delete from postel.idempotency_keys where created_at < now() - interval '24 hours'`
  }
}
