/** What the routes work with; built once by the service. */
import type { Sql } from '@postel/db/client'
import type { Credentials } from '@postel/db/queries/credentials'
import type { Submitter } from '@postel/db/submitter'
import type { SubmissionLimits } from './emails/prepare-submission.ts'
import type { ApiEvents } from './events.ts'

export type ApiContext = {
  sql: Sql
  credentials: Credentials
  submitter: Submitter
  events: ApiEvents
  limits: SubmissionLimits
  /** Whether mail goes to the built-in mailbox, which can then be read. */
  sandbox: boolean
  /** Without a slash at the end. */
  publicUrl: string
  /** Resolves when the process can do its work, rejects with the reason when it cannot. */
  ready: () => Promise<void>
}
