/** Keeps what the sandbox mailbox receives: the last messages of each organization, nothing else. */
import type { Sql } from '../client.ts'

export type SandboxMessage = {
  /** The id of the message in postel.messages, as the sender told it. */
  messageId: string | null
  clientAddress: string
  ehloName: string
  envelopeFrom: string
  recipients: string[]
  raw: Buffer
}

/** Of each organization at least these are kept; older ones go now and then. */
const keep = 1_000
const tidyEvery = 50
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export class SandboxStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  async add(message: SandboxMessage): Promise<void> {
    const messageId = message.messageId && uuidForm.test(message.messageId) ? message.messageId : null
    await this.#sql`
      with added as (
        insert into postel.sandbox_messages (
          organization_id, project_id, message_id, client_address, ehlo_name, envelope_from, recipients, raw
        )
        select
          m.organization_id, m.project_id, s.message_id, ${message.clientAddress}, ${message.ehloName},
          ${message.envelopeFrom}, ${message.recipients}::text[], ${message.raw}::bytea
        from (select ${messageId}::uuid as message_id) as s
        left join postel.messages m on m.id = s.message_id
        returning id, organization_id
      ),
      surplus as (
        select s.id
        from added a
        join postel.sandbox_messages s on s.organization_id is not distinct from a.organization_id
        where a.id % ${tidyEvery} = 0
        order by s.id desc
        offset ${keep - 1}
      )
      delete from postel.sandbox_messages s using surplus where s.id = surplus.id`
  }

  /** These recipients of a message complain about it. */
  async complain(messageId: string, numbers: readonly number[]): Promise<void> {
    await this.#sql`
      insert into postel.events (organization_id, message_id, number, type)
      select m.organization_id, m.id, n, 'complained'
      from postel.messages m cross join unnest(${numbers as number[]}::smallint[]) as n
      where m.id = ${messageId}`
  }
}
