/** Keeps what the sandbox mailbox receives: the last messages, nothing else. */
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

/** Older messages go when more than this many are kept. */
const keep = 1_000
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
          organization_id, message_id, client_address, ehlo_name, envelope_from, recipients, raw
        )
        values (
          (select m.organization_id from postel.messages m where m.id = ${messageId}::uuid), ${messageId},
          ${message.clientAddress}, ${message.ehloName}, ${message.envelopeFrom}, ${message.recipients}, ${message.raw}
        )
        returning id
      )
      delete from postel.sandbox_messages s using added where s.id <= added.id - ${keep}::bigint`
  }
}
