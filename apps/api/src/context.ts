/** What the routes work with; built once by the service. */
import type { Sql } from '@postel/db/client'
import type { Credentials } from '@postel/db/queries/credentials'
import type { Submitter } from '@postel/db/submitter'
import type { MailLinks } from '@postel/mail/tracking'
import type { DnsRecords } from '@postel/runtime/dns-records'
import type { SecretBox } from '@postel/runtime/secret-box'
import type { DomainHosts } from '@postel/runtime/settings'
import type { Tracing } from '@postel/runtime/tracing'
import type { SubmissionLimits } from './emails/prepare-submission.ts'
import type { ApiEvents } from './events.ts'
import type { RequestLog } from './logs/request-log.ts'
import type { People } from './people/people.ts'
import type { RequestLimit } from './request-limit.ts'
import type { ActivityLog } from './tracking/activity-log.ts'

export type ApiContext = {
  sql: Sql
  credentials: Credentials
  submitter: Submitter
  events: ApiEvents
  /** Undefined where no traces are taken. */
  tracing: () => Tracing | undefined
  requestLog: RequestLog
  people: People
  limits: SubmissionLimits
  requests: RequestLimit
  dns: DnsRecords
  /** What the DNS records of sender domains name. */
  domainHosts: DomainHosts
  /** Whether mail goes to the built-in mailbox, which can then be read. */
  sandbox: boolean
  /** Networks whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[]
  /** Of what recipients follow: unsubscription, clicks, openings. */
  links: MailLinks
  /** Clicks and openings. */
  activity: ActivityLog
  /** For secrets at rest. */
  secretBox: SecretBox
  /** Webhooks may be on private networks. */
  webhooksAllowPrivate: boolean
  /** Without a slash at the end. */
  publicUrl: string
  /** Resolves when the process can do its work, rejects with the reason when it cannot. */
  ready: () => Promise<void>
  /** False while it waits for its database at first. */
  hasStarted: () => boolean
}
