/** POST /domains: a name, with keys and a token of its own. */
import { randomBytes } from 'node:crypto'
import { addDomain, findDomain, sourceAddresses } from '@postel/db/queries/domains'
import type { z } from 'zod'
import type { Caller } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem, Problem } from '../problem.ts'
import { newKeys } from './dkim-keys.ts'
import { createDomainRequest, regions } from './domain-request.ts'
import { type Domain, domainReply } from './replies.ts'
import { factsOf, ownerOf, showDomain, showRecords } from './show-domain.ts'

export const createDomain = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/domains',
    id: 'createDomain',
    tag: 'Domains',
    summary: 'Add a domain',
    description:
      'Others may add the same name; it sends for the organization that DNS proves. The answer has the DNS records to set, then call `verify`.',
    access: 'write',
    body: bodyOf(createDomainRequest),
    reply: domainReply,
    status: 201,
    serve: async ({ caller, body }) => {
      const domain = await add(context, caller, body)
      if (!domain)
        throw new Problem('validation_error', `The ${body.name.name} domain has been registered already.`, {
          statusCode: 403,
        })
      return domain
    },
    problems: [403],
  })

/** Undefined when the organization has it already. */
export async function add(
  { sql, secretBox, domainHosts }: ApiContext,
  caller: Caller,
  body: z.infer<typeof createDomainRequest>,
): Promise<Domain | undefined> {
  const owner = ownerOf(caller)
  const {
    region = regions[0],
    capabilities = {},
    name: { name, zone },
  } = body
  if (!(regions as readonly string[]).includes(region))
    throw new Problem('invalid_region', `The region must be one of ${regions.join(', ')}.`)
  const sending = capabilities.sending !== 'disabled'
  const receiving = capabilities.receiving === 'enabled'
  if (!sending && !receiving)
    throw fieldProblem({ field: 'capabilities', problem: 'Enable sending, receiving or both.' })
  const [keys, addresses] = await Promise.all([newKeys(name, secretBox), sourceAddresses(sql, owner)])
  const domain = {
    name,
    zone,
    region,
    sending,
    receiving,
    returnPath: body.custom_return_path ?? 'send',
    openTracking: body.open_tracking ?? false,
    clickTracking: body.click_tracking ?? false,
    trackingSubdomain: body.tracking_subdomain ?? null,
    tls: body.tls ?? 'opportunistic',
    verificationToken: randomBytes(16).toString('hex'),
    keys,
  }
  const facts = factsOf(
    { ...domain, superseded: false, addresses, keys: keys.map((key) => ({ ...key, retiresAt: null })) },
    domainHosts,
  )
  const id = await addDomain(sql, owner, { ...domain, records: showRecords(facts) }, caller.actor)
  if (id === undefined) return undefined
  return showDomain((await findDomain(sql, owner, id))!, domainHosts)
}
