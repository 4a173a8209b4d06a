/**
 * Claims, as Resend calls taking over a name that somebody else has registered. Here every organization may add every name and
 * has a token of its own for it, so a claim is the domain itself, seen from its ownership record.
 */
import { type DomainRow, findDomain, findDomainId } from '@postel/db/queries/domains'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { add } from './create-domain.ts'
import { createDomainRequest } from './domain-request.ts'
import { claimReply, type DomainClaim } from './replies.ts'
import { noDomain, ownerOf, showDomain } from './show-domain.ts'
import { verifyNow } from './verify-domain.ts'

export const claimDomain = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/domains/claim',
    id: 'claimDomain',
    tag: 'Domains',
    summary: 'Claim a domain that another organization may have',
    description:
      'Adds the domain where it is not there yet, and answers with the record that proves whose it is.',
    access: 'write',
    body: bodyOf(createDomainRequest),
    reply: claimReply,
    status: 201,
    problems: [403],
    serve: async ({ caller, body }) => {
      const { sql } = context
      const owner = ownerOf(caller)
      const id = (await add(context, caller, body))?.id ?? (await findDomainId(sql, owner, body.name.name))
      const domain = id && (await findDomain(sql, owner, id))
      if (!domain)
        throw new Problem('validation_error', `Another project has the ${body.name.name} domain.`, {
          statusCode: 403,
        })
      return showClaim(context, domain)
    },
  })

export const getClaim = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/domains/{id}/claim',
    id: 'getDomainClaim',
    tag: 'Domains',
    summary: 'Get the claim of a domain',
    access: 'read',
    params: uuidPath,
    reply: claimReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      const domain = await findDomain(context.sql, ownerOf(caller), id)
      if (!domain) throw noDomain()
      return showClaim(context, domain)
    },
  })

export const verifyClaim = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/domains/{id}/claim/verify',
    id: 'verifyDomainClaim',
    tag: 'Domains',
    summary: 'Look for the ownership record of a domain now',
    access: 'write',
    params: uuidPath,
    reply: claimReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      await verifyNow(context, caller, id)
      const domain = await findDomain(context.sql, ownerOf(caller), id)
      if (!domain) throw noDomain()
      return showClaim(context, domain)
    },
  })

function showClaim({ domainHosts }: ApiContext, domain: DomainRow): DomainClaim {
  const { id, name, region, created_at, records } = showDomain(domain, domainHosts)
  const ownership = records.find(({ record }) => record === 'Ownership')
  // An operator vouches for a domain without one
  if (!ownership) throw noDomain()
  const status = statusOf(domain)
  return {
    object: 'domain_claim',
    id,
    name,
    status,
    domain_id: id,
    region,
    record: { type: 'TXT', name: ownership.fqdn, value: ownership.value, ttl: 'Auto' },
    blocked_reason: null,
    failure_reason:
      status === 'superseded' ? 'Another organization has proved it since.' : ownership.status_reason,
    created_at,
    expires_at: null,
  }
}

function statusOf({ verified, superseded, status }: DomainRow): DomainClaim['status'] {
  if (verified) return 'completed'
  if (superseded) return 'superseded'
  return status === 'failed' ? 'failed' : 'pending'
}
