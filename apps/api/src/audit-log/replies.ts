/** What the endpoint of the audit log answers. */
import { z } from 'zod'
import { id, listOf, time } from '../shapes.ts'

const auditEntry = z
  .object({
    id,
    created_at: time,
    organization_id: id.nullable().meta({ description: 'Null: what concerns the platform.' }),
    actor: z.object({
      kind: z.string().meta({ description: 'api_key, person, system or psql.', example: 'api_key' }),
      id: z.string().nullable(),
      name: z.string(),
      address: z.string().nullable().meta({ description: 'Where the request came from.' }),
    }),
    action: z.string().meta({ example: 'api_key.created' }),
    target: z.object({ kind: z.string(), id: z.string().nullable(), name: z.string().nullable() }),
    details: z.record(z.string(), z.unknown()).nullable().meta({ description: 'What was asked for.' }),
  })
  .meta({ id: 'AuditEntry' })

export const auditLogReply = listOf(auditEntry).meta({ id: 'AuditLog' })

export type AuditEntry = z.infer<typeof auditEntry>
