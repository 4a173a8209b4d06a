/** /destination-rules: how mail to a provider is sent. An operator's rule comes before the shipped one of its name. */
import {
  findRule,
  type RuleRow,
  listRules as readRules,
  deleteRule as removeRule,
  replaceRule,
  createRule as storeRule,
} from '@postel/db/queries/destination-rules'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { rowId } from '../operator-fields.ts'
import { numberPage, oneCursor } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { inConflict, orRefuse } from '../refusals.ts'
import { deletedRuleReply, ruleReply, rulesReply } from './replies.ts'
import { applied, emptyRule, ruleChange, ruleRequest, showRule, withoutPassword } from './rule-request.ts'

export function ruleEndpoints(context: ApiContext): Endpoint[] {
  return [listRules(context), createRule(context), getRule(context), changeRule(context), deleteRule(context)]
}

const path = z.object({ id: rowId })
const nameTaken = 'There is a rule of yours with this name already.'

const listRules = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/destination-rules',
    id: 'listDestinationRules',
    tag: 'Destination rules',
    summary: 'List the rules by destination, newest first',
    access: 'operate',
    query: numberPage,
    reply: rulesReply,
    serve: async ({ query }) => {
      const page = await readRules(sql, oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showRule) }
    },
  })

const createRule = ({ sql, secretBox }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/destination-rules',
    id: 'createDestinationRule',
    tag: 'Destination rules',
    summary: 'Create a rule of your own',
    description: 'It comes before the shipped rule of the same name, field by field.',
    access: 'operate',
    body: bodyOf(ruleRequest),
    reply: ruleReply,
    status: 201,
    problems: [409],
    serve: async ({ caller, body }) => {
      const work = storeRule(sql, caller.actor, applied(body, emptyRule, secretBox), forTheLog(body))
      const id = await orRefuse(work, { duplicate: nameTaken })
      return { object: 'destination_rule', ...showRule(await theRule(sql, id)) }
    },
  })

const getRule = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/destination-rules/{id}',
    id: 'getDestinationRule',
    tag: 'Destination rules',
    summary: 'Get a rule',
    access: 'operate',
    params: path,
    reply: ruleReply,
    problems: [404],
    serve: async ({ params: { id } }) => ({
      object: 'destination_rule',
      ...showRule(await theRule(sql, id)),
    }),
  })

const changeRule = ({ sql, secretBox }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/destination-rules/{id}',
    id: 'updateDestinationRule',
    tag: 'Destination rules',
    summary: 'Change a rule of your own',
    access: 'operate',
    params: path,
    body: bodyOf(ruleChange),
    reply: ruleReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id }, body }) => {
      const rule = await ownRule(sql, id)
      const work = replaceRule(sql, caller.actor, id, applied(body, rule, secretBox), forTheLog(body))
      if (!(await orRefuse(work, { duplicate: nameTaken }))) throw notFound()
      return { object: 'destination_rule', ...showRule(await theRule(sql, id)) }
    },
  })

const deleteRule = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/destination-rules/{id}',
    id: 'deleteDestinationRule',
    tag: 'Destination rules',
    summary: 'Delete a rule of your own: the shipped one is in force again',
    access: 'operate',
    params: path,
    reply: deletedRuleReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id } }) => {
      await ownRule(sql, id)
      if (!(await removeRule(sql, caller.actor, id))) throw notFound()
      return { object: 'destination_rule', id, deleted: true }
    },
  })

const notFound = () => new Problem('not_found', 'Destination rule not found.')

async function theRule(sql: ApiContext['sql'], id: string): Promise<RuleRow> {
  const rule = await findRule(sql, id)
  if (!rule) throw notFound()
  return rule
}

/** Throws 409 for a shipped one, which an upgrade would write anew. */
async function ownRule(sql: ApiContext['sql'], id: string): Promise<RuleRow> {
  const rule = await theRule(sql, id)
  if (rule.origin === 'shipped')
    throw inConflict('Shipped rules stay as they are: create a rule of the same name, which comes before it.')
  return rule
}

function forTheLog(asked: z.infer<typeof ruleChange>): unknown {
  return asked.smarthost ? { ...asked, smarthost: withoutPassword(asked.smarthost) } : asked
}
