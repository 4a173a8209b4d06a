/** /audit-log: who changed what. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { listAuditLog } from './list-audit-log.ts'

export function auditLogEndpoints(context: ApiContext): Endpoint[] {
  return [listAuditLog(context)]
}
