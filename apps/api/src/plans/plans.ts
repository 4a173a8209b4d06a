/** GET and POST /plans; GET, PATCH and DELETE /plans/{id}. */
import {
  findPlan,
  type PlanRow,
  listPlans as readPlans,
  deletePlan as removePlan,
  createPlan as storePlan,
  changePlan as updatePlan,
} from '@postel/db/queries/plans'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { nameField } from '../fields.ts'
import { oneCursor, uuidPage, uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { orRefuse } from '../refusals.ts'
import { asLimits, limitFields, showLimits } from './limit-fields.ts'
import { deletedPlanReply, planReply, plansReply } from './replies.ts'

const duplicate = 'There is a plan of this name already.'
const newPlan = z
  .object({ name: nameField, ...limitFields }, { error: 'must be a JSON object.' })
  .meta({ id: 'CreatePlanRequest' })
const planChange = z
  .object({ name: nameField.optional(), ...limitFields }, { error: 'must be a JSON object.' })
  .meta({ id: 'UpdatePlanRequest' })

export const listPlans = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/plans',
    id: 'listPlans',
    tag: 'Plans',
    summary: 'List plans, newest first',
    access: 'operate',
    query: uuidPage,
    reply: plansReply,
    serve: async ({ query }) => {
      const page = await readPlans(sql, oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showPlan) }
    },
  })

export const createPlan = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/plans',
    id: 'createPlan',
    tag: 'Plans',
    summary: 'Create a plan',
    access: 'operate',
    body: bodyOf(newPlan),
    reply: planReply,
    status: 201,
    problems: [409],
    serve: async ({ caller, body }) => {
      const plan = {
        name: body.name,
        monthlyRecipients: body.monthly_recipients ?? null,
        recipientsPerSecond: body.recipients_per_second ?? null,
      }
      const id = await orRefuse(storePlan(sql, caller.actor, plan), { duplicate })
      return { object: 'plan', ...showPlan((await findPlan(sql, id))!) }
    },
  })

export const getPlan = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/plans/{id}',
    id: 'getPlan',
    tag: 'Plans',
    summary: 'Show a plan',
    access: 'operate',
    params: uuidPath,
    reply: planReply,
    problems: [404],
    serve: async ({ params: { id } }) => {
      const plan = await findPlan(sql, id)
      if (!plan) throw noPlan()
      return { object: 'plan', ...showPlan(plan) }
    },
  })

export const changePlan = ({ sql }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/plans/{id}',
    id: 'updatePlan',
    tag: 'Plans',
    summary: 'Change a plan, and so the limits of all who have it',
    description: 'It holds everywhere within five seconds.',
    access: 'operate',
    params: uuidPath,
    body: bodyOf(planChange),
    reply: planReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id }, body }) => {
      const change = { name: body.name, ...asLimits(body) }
      if (!(await orRefuse(updatePlan(sql, caller.actor, id, change), { duplicate }))) throw noPlan()
      return { object: 'plan', ...showPlan((await findPlan(sql, id))!) }
    },
  })

export const deletePlan = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/plans/{id}',
    id: 'deletePlan',
    tag: 'Plans',
    summary: 'Delete a plan that no organization has',
    access: 'operate',
    params: uuidPath,
    reply: deletedPlanReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id } }) => {
      const work = removePlan(sql, caller.actor, id)
      if (!(await orRefuse(work, { referenced: 'Organizations have this plan.' }))) throw noPlan()
      return { object: 'plan', id, deleted: true }
    },
  })

const noPlan = () => new Problem('not_found', 'Plan not found.')

function showPlan({ id, name, organizations, createdAt, ...limits }: PlanRow) {
  return { id, name, ...showLimits(limits), organizations, created_at: createdAt }
}
