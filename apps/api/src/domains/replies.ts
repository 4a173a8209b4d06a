/** What the endpoints of domains answer, in Resend's shapes. */
import { recordKinds } from '@postel/mail/domain-records'
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

const capability = z.enum(['enabled', 'disabled'])

const domainRecord = z.object({
  record: z.enum(recordKinds),
  name: z.string().meta({
    description: 'Below the registrable domain, as most DNS panels want it; `@` for that itself.',
    example: 'send',
  }),
  value: z.string(),
  type: z.enum(['TXT', 'MX', 'CNAME']),
  ttl: z.literal('Auto'),
  status: z.enum(['not_started', 'pending', 'verified', 'failed', 'temporary_failure']),
  priority: z.int().optional(),
  fqdn: z.string().meta({ description: 'Not in Resend: the whole name.' }),
  required: z.boolean().meta({ description: 'Not in Resend: false for advice.' }),
  status_reason: z
    .string()
    .nullable()
    .meta({ description: 'Not in Resend: what is wrong with it, in a sentence.' }),
})

const summary = {
  id,
  name: z.string(),
  status: z
    .enum(['not_started', 'pending', 'verified', 'failed', 'partially_verified', 'partially_failed'])
    .meta({
      description:
        'partially_verified: it may send, and what receiving needs is missing. partially_failed: it may still send, but what proves it has gone from DNS.',
    }),
  created_at: time,
  region: z.string().meta({ description: 'As it was asked for; nothing depends on it.' }),
  capabilities: z.object({ sending: capability, receiving: capability }),
  open_tracking: z.boolean(),
  click_tracking: z.boolean(),
  tracking_subdomain: z.string().optional(),
}

export const domainReply = z
  .object({
    object: z.literal('domain'),
    ...summary,
    tls: z.enum(['opportunistic', 'enforced']),
    custom_return_path: z.string(),
    records: z.array(domainRecord),
    project_id: id.nullable().meta({
      description: 'Not in Resend: the project that may send from it; null: all of the organization.',
    }),
    checked_at: time.nullable().meta({ description: 'Not in Resend: when DNS was last looked at.' }),
    failing_since: time
      .nullable()
      .meta({ description: 'Not in Resend: since when DNS does not prove it any more.' }),
  })
  .meta({ id: 'Domain' })

export const domainsReply = listOf(z.object(summary)).meta({ id: 'Domains' })

export const domainIdReply = z.object({ object: z.literal('domain'), id }).meta({ id: 'DomainId' })

export const deletedDomainReply = z
  .object({ object: z.literal('domain'), id, deleted: z.literal(true) })
  .meta({ id: 'DeletedDomain' })

export const claimReply = z
  .object({
    object: z.literal('domain_claim'),
    id,
    name: z.string(),
    status: z.enum(['pending', 'completed', 'superseded', 'failed']),
    domain_id: id,
    region: z.string(),
    record: z.object({ type: z.literal('TXT'), name: z.string(), value: z.string(), ttl: z.literal('Auto') }),
    blocked_reason: z.null(),
    failure_reason: z.string().nullable(),
    created_at: time,
    expires_at: z.null().meta({ description: 'A claim does not expire.' }),
  })
  .meta({ id: 'DomainClaim' })

export type Domain = z.infer<typeof domainReply>
export type DomainSummary = z.infer<typeof domainsReply>['data'][number]
export type DomainClaim = z.infer<typeof claimReply>
