/** /domains: the names that mail is sent from, and their DNS records. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { claimDomain, getClaim, verifyClaim } from './claims.ts'
import { createDomain } from './create-domain.ts'
import { deleteDomain } from './delete-domain.ts'
import { getDomain } from './get-domain.ts'
import { importDkim } from './import-dkim.ts'
import { listDomains } from './list-domains.ts'
import { rotateDkim } from './rotate-dkim.ts'
import { updateDomain } from './update-domain.ts'
import { verifyDomain } from './verify-domain.ts'

export function domainEndpoints(context: ApiContext): Endpoint[] {
  return [
    createDomain(context),
    listDomains(context),
    getDomain(context),
    updateDomain(context),
    deleteDomain(context),
    verifyDomain(context),
    rotateDkim(context),
    importDkim(context),
    claimDomain(context),
    getClaim(context),
    verifyClaim(context),
  ]
}
