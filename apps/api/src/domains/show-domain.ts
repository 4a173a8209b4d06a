/** A domain as the API shows it, and as what its DNS records follow from. */
import type { DomainOwner, DomainRow } from '@postel/db/queries/domains'
import { type CheckedRecord, withLastCheck } from '@postel/mail/domain-check'
import type { DomainFacts } from '@postel/mail/domain-records'
import type { DomainHosts } from '@postel/runtime/settings'
import { type Caller, tenantOf } from '../caller.ts'
import { Problem } from '../problem.ts'
import type { Domain, DomainSummary } from './replies.ts'

export const ownerOf = (caller: Caller): DomainOwner => tenantOf(caller)

export const noDomain = () => new Problem('not_found', 'Domain not found.')

/** Of a domain that the caller sees and may not change. */
export const notOfItsProject = () =>
  new Problem(
    'invalid_permission',
    'The domain belongs to the whole organization: a key of the organization or an admin may change it.',
  )

export function factsOf(domain: Omit<DomainFacts, keyof DomainHosts>, hosts: DomainHosts): DomainFacts {
  return { ...domain, ...hosts }
}

export function showRecords(facts: DomainFacts, last: readonly unknown[] = []): Domain['records'] {
  return withLastCheck(facts, last as CheckedRecord[]).map(({ selector: _, ...record }) => record)
}

export function showDomain(domain: DomainRow, hosts: DomainHosts): Domain {
  return {
    object: 'domain',
    ...showSummary(domain),
    tls: domain.tls,
    custom_return_path: domain.returnPath,
    records: showRecords(factsOf(domain, hosts), domain.records),
    project_id: domain.projectId,
    checked_at: domain.checkedAt,
    failing_since: domain.failingSince,
  }
}

export function showSummary(domain: DomainRow): DomainSummary {
  const able = (is: boolean) => (is ? 'enabled' : 'disabled')
  return {
    id: domain.id,
    name: domain.name,
    status: domain.status,
    created_at: domain.createdAt,
    region: domain.region,
    capabilities: { sending: able(domain.sending), receiving: able(domain.receiving) },
    open_tracking: domain.openTracking,
    click_tracking: domain.clickTracking,
    ...(domain.trackingSubdomain !== null && { tracking_subdomain: domain.trackingSubdomain }),
  }
}
