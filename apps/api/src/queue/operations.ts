/** GET /queue/operations[/{id}] and POST /queue/operations/{id}/stop: what was asked to be done to mail, and how far it is. */
import {
  findOperation,
  type OperationRow,
  type QueueScope,
  listOperations as readOperations,
  stopOperation as stop,
} from '@postel/db/queries/queue'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { numberPage, numberPath, oneCursor } from '../paging.ts'
import { Problem } from '../problem.ts'
import { inConflict } from '../refusals.ts'
import { operationReply, operationsReply } from './replies.ts'
import { scopeOf } from './scope.ts'
import { showOperation } from './show-operation.ts'

export const listOperations = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/queue/operations',
    id: 'listQueueOperations',
    tag: 'Queue',
    summary: 'List what was asked to be done to mail, newest first',
    access: 'read',
    query: numberPage,
    reply: operationsReply,
    serve: async ({ caller, query }) => {
      const page = await readOperations(sql, scopeOf(caller), oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showOperation) }
    },
  })

export const getOperation = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/queue/operations/{id}',
    id: 'getQueueOperation',
    tag: 'Queue',
    summary: 'Get an operation: how far it is',
    access: 'read',
    params: numberPath,
    reply: operationReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => ({
      object: 'queue_operation',
      ...showOperation(await theOperation(sql, scopeOf(caller), id)),
    }),
  })

export const stopOperation = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/queue/operations/{id}/stop',
    id: 'stopQueueOperation',
    tag: 'Queue',
    summary: 'Stop an operation; what it has done stays done',
    access: 'write',
    params: numberPath,
    reply: operationReply,
    problems: [404, 409],
    serve: async ({ caller, params: { id } }) => {
      const scope = scopeOf(caller)
      const stopped = await stop(sql, caller.actor, scope, id)
      const operation = await theOperation(sql, scope, id)
      if (!stopped) throw inConflict('This operation is finished already.')
      return { object: 'queue_operation', ...showOperation(operation) }
    },
  })

/** Throws 404 when the scope has none of this id. */
export async function theOperation(
  sql: ApiContext['sql'],
  scope: QueueScope,
  id: string,
): Promise<OperationRow> {
  const operation = await findOperation(sql, scope, id)
  if (!operation) throw new Problem('not_found', 'Operation not found.')
  return operation
}
