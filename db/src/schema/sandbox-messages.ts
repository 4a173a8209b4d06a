/** sandbox_messages: what the built-in mailbox received: over SMTP when DELIVERY_MODE is sandbox, and test mail. */
import { bigint, index, text, uuid } from 'drizzle-orm/pg-core'
import { bytea, createdAt, postel } from './columns.ts'

export const sandboxMessages = postel.table(
  'sandbox_messages',
  {
    id: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    receivedAt: createdAt(),
    organizationId: uuid(),
    projectId: uuid(),
    messageId: uuid(),
    clientAddress: text().notNull(),
    ehloName: text().notNull(),
    envelopeFrom: text().notNull(),
    recipients: text().array().notNull(),
    raw: bytea().notNull(),
  },
  (t) => [index('sandbox_messages_organization_id').on(t.organizationId, t.id)],
)
