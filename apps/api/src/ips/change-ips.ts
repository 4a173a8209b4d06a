/** POST /ips, PATCH /ips/{id} and POST /ips/{id}/move-queue. */
import { moveQueue as moveRows, createIp as storeIp, changeIp as updateIp } from '@postel/db/queries/ips'
import { findPool } from '@postel/db/queries/pools'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { hostname, ipAddress, line, reason, rowId } from '../operator-fields.ts'
import { bodyOf } from '../parse-with.ts'
import { fieldProblem, Problem } from '../problem.ts'
import { orRefuse } from '../refusals.ts'
import { ipPath, theIp } from './read-ips.ts'
import { ipReply, movedReply } from './replies.ts'
import { showIp } from './show-ip.ts'

const weightMax = 10_000
const weight = z
  .int({ error: 'must be a whole number.' })
  .min(0, { error: `must be from 0 to ${weightMax}.` })
  .max(weightMax, { error: `must be from 0 to ${weightMax}.` })
  .meta({ description: 'Its share of the new mail of its pool, relative to the others; 0 gets none.' })
const poolId = rowId.meta({ description: 'The id of its pool.' })
const ehloName = hostname.nullable().meta({
  description: 'Said in EHLO; its address record and the reverse one should agree.',
  example: 'out1.example.com',
})
const nodeName = line(253).nullable().meta({ description: 'The node that should hold it.' })

const newIp = z
  .object(
    {
      address: ipAddress.meta({ example: '192.0.2.1' }),
      pool_id: poolId,
      ehlo_name: ehloName.default(null),
      weight: weight.default(100),
      node_name: nodeName.default(null),
      state: z
        .enum(['active', 'warming', 'paused'], { error: 'must be active, warming or paused.' })
        .default('active'),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'CreateIpRequest' })

const ipChange = z
  .object(
    {
      weight: weight.optional(),
      ehlo_name: ehloName.optional(),
      node_name: nodeName.optional(),
      pool_id: poolId.optional().meta({
        description: 'The id of another pool, for an IP that is draining or paused and has nothing queued.',
      }),
      state: z
        .enum(['active', 'paused', 'draining'], { error: 'must be active, paused or draining.' })
        .optional()
        .meta({
          description:
            'active: it gets new mail. paused: nothing leaves from it any more. draining: it gets no new mail. The queue of the last two moves to the other IPs of the pool.',
        }),
      reason: reason.optional().meta({ description: 'Of the new state, for whoever asks later.' }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'UpdateIpRequest' })

const move = z
  .object(
    { to: rowId.meta({ description: 'The id of another active IP of the same pool.' }) },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'MoveQueueRequest' })

export const createIp = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/ips',
    id: 'createIp',
    tag: 'IPs',
    summary: 'Add a source IP to a pool',
    description: 'Mail leaves from it as soon as an outbound process has it on an interface.',
    access: 'operate',
    body: bodyOf(newIp),
    reply: ipReply,
    status: 201,
    problems: [409],
    serve: async ({ caller, body }) => {
      const { address, pool_id, ehlo_name, weight, node_name, state } = body
      if (!(await findPool(sql, pool_id)))
        throw fieldProblem({ field: 'pool_id', problem: 'There is no pool of this id.' })
      const work = storeIp(sql, caller.actor, {
        address,
        poolId: pool_id,
        ehloName: ehlo_name,
        weight,
        nodeName: node_name,
        state,
      })
      const id = await orRefuse(work, {
        duplicate: 'This address is there already.',
        referenced: 'The pool has just been deleted.',
      })
      return { object: 'ip', ...showIp(await theIp(sql, id)) }
    },
  })

export const changeIp = ({ sql }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/ips/{id}',
    id: 'updateIp',
    tag: 'IPs',
    summary: 'Change the weight, name, node, pool or state of a source IP',
    access: 'operate',
    params: ipPath,
    body: bodyOf(ipChange),
    reply: ipReply,
    problems: [404],
    serve: async ({ caller, params: { id }, body }) => {
      const { reason = null, ...change } = body
      if (!(await orRefuse(updateIp(sql, caller.actor, id, change, reason))))
        throw new Problem('not_found', 'IP not found.')
      return { object: 'ip', ...showIp(await theIp(sql, id)) }
    },
  })

export const moveQueue = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/ips/{id}/move-queue',
    id: 'moveIpQueue',
    tag: 'IPs',
    summary: 'Move what is queued on a source IP to another of its pool',
    description: 'What is being sent at this moment stays. New mail is chosen for as before.',
    access: 'operate',
    params: ipPath,
    body: bodyOf(move),
    reply: movedReply,
    problems: [404],
    serve: async ({ caller, params: { id }, body }) => {
      const moved = await orRefuse(moveRows(sql, caller.actor, id, body.to))
      if (moved === undefined) throw new Problem('not_found', 'IP not found.')
      return { object: 'ip', id, moved }
    },
  })
