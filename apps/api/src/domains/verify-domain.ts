/** POST /domains/{id}/verify: looks at DNS now. */
import { recordDomainCheck, startDomainCheck } from '@postel/db/queries/domains'
import { checkDomain } from '@postel/mail/domain-check'
import type { Caller } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { domainIdReply } from './replies.ts'
import { factsOf, noDomain, ownerOf } from './show-domain.ts'

export const verifyDomain = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/domains/{id}/verify',
    id: 'verifyDomain',
    tag: 'Domains',
    summary: 'Look for the DNS records of a domain now',
    description:
      'What was found stands in the domain once this has answered. It is also looked for by itself, again and again.',
    access: 'write',
    params: uuidPath,
    reply: domainIdReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      await verifyNow(context, caller, id)
      return { object: 'domain', id }
    },
  })

/** Throws a Problem when the caller has no such domain. */
export async function verifyNow(
  { sql, dns, domainHosts }: ApiContext,
  caller: Caller,
  id: string,
): Promise<void> {
  const started = await startDomainCheck(sql, ownerOf(caller), id)
  if (!started) throw noDomain()
  const { domain } = started
  const check = await checkDomain(factsOf(domain, domainHosts), domain.verified, dns)
  await recordDomainCheck(sql, started, check)
}
