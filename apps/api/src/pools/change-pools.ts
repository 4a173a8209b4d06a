/** POST /pools, PATCH and DELETE /pools/{id}. */
import {
  deletePool as removePool,
  changePool as renamePool,
  createPool as storePool,
} from '@postel/db/queries/pools'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { line } from '../operator-fields.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { inConflict, orRefuse } from '../refusals.ts'
import { poolPath, showPool, thePool } from './read-pools.ts'
import { deletedPoolReply, poolReply } from './replies.ts'

const name = line(100).meta({ example: 'transactional' })
const nameTaken = 'There is a pool of this name already.'

const newPool = z.object({ name }, { error: 'must be a JSON object.' }).meta({ id: 'CreatePoolRequest' })
const poolChange = z
  .object(
    {
      name: name.optional(),
      default: z
        .literal(true, { error: 'must be true: to change the default make another pool the default.' })
        .optional()
        .meta({ description: 'New projects get it.' }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'UpdatePoolRequest' })

export const createPool = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/pools',
    id: 'createPool',
    tag: 'Pools',
    summary: 'Create a pool',
    access: 'operate',
    body: bodyOf(newPool),
    reply: poolReply,
    status: 201,
    problems: [409],
    serve: async ({ caller, body }) => {
      const id = await storePool(sql, caller.actor, body.name)
      if (id === undefined) throw inConflict(nameTaken)
      return { object: 'pool', ...showPool(await thePool(sql, id)) }
    },
  })

export const changePool = ({ sql }: ApiContext) =>
  endpoint({
    method: 'patch',
    path: '/pools/{id}',
    id: 'updatePool',
    tag: 'Pools',
    summary: 'Rename a pool, or make it the default',
    access: 'operate',
    params: poolPath,
    body: bodyOf(poolChange),
    reply: poolReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id }, body }) => {
      const work = renamePool(sql, caller.actor, id, body)
      if (!(await orRefuse(work, { duplicate: nameTaken }))) throw new Problem('not_found', 'Pool not found.')
      return { object: 'pool', ...showPool(await thePool(sql, id)) }
    },
  })

export const deletePool = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/pools/{id}',
    id: 'deletePool',
    tag: 'Pools',
    summary: 'Delete a pool that no IP and no project is in',
    access: 'operate',
    params: poolPath,
    reply: deletedPoolReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id } }) => {
      const needed = 'A pool can be deleted once it is not the default and no IP and no project is in it.'
      if (!(await orRefuse(removePool(sql, caller.actor, id), { referenced: needed }))) {
        await thePool(sql, id)
        throw inConflict(needed)
      }
      return { object: 'pool', id, deleted: true }
    },
  })
