/** domains: each minute, looks at the DNS records of the domains that are due, and records what it finds. */
import type { Sql } from '@postel/db/client'
import { type DomainToCheck, recordDomainCheck, takeDueDomains } from '@postel/db/queries/domains'
import { checkDomain } from '@postel/mail/domain-check'
import type { DnsRecords } from '@postel/runtime/dns-records'
import type { DomainHosts } from '@postel/runtime/settings'
import type { TaskContext } from './task.ts'

export type DomainsContext = { sql: Sql; dns: DnsRecords; hosts: DomainHosts }

/** Each of them asks for a dozen records. */
const atOnce = 20

/** Works until none is due. Safe to be killed, and to run twice at once: a domain is taken by one, and is due again when nothing is recorded. */
export async function checkDomains({ domains, events, signal }: TaskContext): Promise<void> {
  while (!signal.aborted) {
    const due = await takeDueDomains(domains.sql, atOnce)
    await Promise.all(
      due.map((each) =>
        checkOne(domains, each, events).catch((error) => events.domainCheckFailed(each.domain.name, error)),
      ),
    )
    if (due.length < atOnce) return
  }
}

async function checkOne(
  { sql, dns, hosts }: DomainsContext,
  due: DomainToCheck,
  events: TaskContext['events'],
): Promise<void> {
  const { domain } = due
  const check = await checkDomain({ ...domain, ...hosts }, domain.verified, dns)
  const status = await recordDomainCheck(sql, due, check)
  events.domainChecked(domain.name, domain.status, status ?? domain.status)
}
