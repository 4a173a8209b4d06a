/** What the endpoints of API keys answer: Resend's shapes, with fields of our own behind them. */
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

export const permissions = ['full_access', 'sending_access'] as const

export const newApiKeyReply = z
  .object({
    id,
    token: z.string().meta({
      description: 'Shown this once: only its hash is kept.',
      example: 'pk_live_8dK3…',
    }),
  })
  .meta({ id: 'NewApiKey' })

const apiKey = z
  .object({
    id,
    name: z.string(),
    created_at: time,
    last_used_at: time.nullable().meta({ description: 'To the minute, and up to a minute late.' }),
    prefix: z.string().meta({ description: 'How the key begins.' }),
    permission: z.enum(permissions),
    project_id: id.nullable().meta({ description: 'Null: for the whole organization.' }),
    domain_id: id.nullable().meta({ description: 'It sends from this domain only.' }),
    networks: z.array(z.string()).nullable().meta({ description: 'It works from these networks only.' }),
    test: z.boolean().meta({ description: 'What it sends goes to the sandbox mailbox.' }),
    expires_at: time.nullable(),
  })
  .meta({ id: 'ApiKey' })

export const apiKeysReply = listOf(apiKey).meta({ id: 'ApiKeys' })

export const changedApiKeyReply = z.object({ object: z.literal('api_key'), id }).meta({ id: 'ChangedApiKey' })

export const removedApiKeyReply = z
  .object({ object: z.literal('api_key'), id, deleted: z.literal(true) })
  .meta({ id: 'RemovedApiKey' })

export type ApiKeyReply = z.infer<typeof apiKey>
