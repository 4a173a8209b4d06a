/** What the endpoints of SMTP credentials answer. */
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

export const newSmtpCredentialReply = z
  .object({
    object: z.literal('smtp_credential'),
    id,
    username: z.string().meta({ description: 'Any will do; this one names the project.' }),
    password: z.string().nullable().meta({
      description: 'Shown this once: only its hash is kept. Null for a trusted network.',
    }),
  })
  .meta({ id: 'NewSmtpCredential' })

const smtpCredential = z
  .object({
    id,
    name: z.string(),
    project_id: id,
    prefix: z.string().nullable().meta({ description: 'How the password begins.' }),
    network: z.string().nullable().meta({ description: 'Clients from here need no password.' }),
    test: z.boolean().meta({ description: 'What it sends goes to the sandbox mailbox.' }),
    created_at: time,
    expires_at: time.nullable(),
    last_used_at: time.nullable().meta({ description: 'To the minute, and up to a minute late.' }),
  })
  .meta({ id: 'SmtpCredential' })

export const smtpCredentialsReply = listOf(smtpCredential).meta({ id: 'SmtpCredentials' })

export const removedSmtpCredentialReply = z
  .object({ object: z.literal('smtp_credential'), id, deleted: z.literal(true) })
  .meta({ id: 'RemovedSmtpCredential' })

export type SmtpCredentialReply = z.infer<typeof smtpCredential>
