/** /plans, and the limits of an organization: set by the platform's operators. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { changeOrganizationLimits, getOrganizationLimits } from './organization-limits.ts'
import { changePlan, createPlan, deletePlan, getPlan, listPlans } from './plans.ts'

export function planEndpoints(context: ApiContext): Endpoint[] {
  return [
    listPlans(context),
    createPlan(context),
    getPlan(context),
    changePlan(context),
    deletePlan(context),
    getOrganizationLimits(context),
    changeOrganizationLimits(context),
  ]
}
