/** GET /audit-log: every change by a person or a key, newest first. Nothing changes it. */
import { type AuditRow, listAuditLog as readAuditLog } from '@postel/db/queries/audit-log'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage } from '../paging.ts'
import { type AuditEntry, auditLogReply } from './replies.ts'

const word = z
  .string({ error: 'must be given once.' })
  .max(200, { error: 'must be at most 200 characters.' })
  .refine((text) => text.isWellFormed() && !text.includes('\0'), { error: 'has characters that cannot be.' })
const time = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with a time zone, like 2026-11-30T08:00:00Z.' })
  .refine((text) => Date.parse(text) >= 0 && Date.parse(text) < Date.parse('3000-01-01'), {
    error: 'must be from 1970 to 2999.',
  })
  .transform((text) => new Date(text))
  .meta({ override: { type: 'string', format: 'date-time' } })

const auditQuery = uuidPage.extend({
  actor: word.optional().meta({ description: 'Only changes by this one: an id or a name.' }),
  action: word.optional().meta({
    description: 'Only this action (`api_key.created`) or this kind (`api_key`).',
  }),
  target: word.optional().meta({ description: 'Only changes of this one: an id or a name.' }),
  since: time.optional().meta({ description: 'From this moment on.' }),
  until: time.optional().meta({ description: 'Before this moment.' }),
})

export const listAuditLog = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/audit-log',
    id: 'listAuditLog',
    tag: 'Audit log',
    summary: 'List changes, newest first',
    description:
      'Admins see their organization; operators that name none see everything, the platform included.',
    access: 'administer',
    query: auditQuery,
    reply: auditLogReply,
    serve: async ({ caller, query }) => {
      const { actor, action, target, since, until } = query
      const filter = { actor, action, target, since, until }
      // Only an operator can be without an organization here
      const page = await readAuditLog(sql, caller.organizationId, filter, oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showEntry) }
    },
  })

function showEntry(row: AuditRow): AuditEntry {
  return {
    id: row.id,
    created_at: row.createdAt,
    organization_id: row.organizationId,
    actor: { kind: row.actorKind, id: row.actorId, name: row.actorName, address: row.address },
    action: row.action,
    target: { kind: row.targetKind, id: row.targetId, name: row.targetName },
    details: row.details,
  }
}
