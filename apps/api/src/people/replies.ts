/** What /me answers. */
import { z } from 'zod'
import { roles } from '../caller.ts'
import { id } from '../shapes.ts'

export const memberRole = z.enum(['read_only', 'maintainer', 'admin'])

export const meReply = z
  .object({
    object: z.literal('me'),
    kind: z.enum(['person', 'api_key']),
    role: z.enum(roles).meta({ description: 'In the organization that the request acts in.' }),
    organization_id: id.nullable().meta({ description: 'The organization that the request acts in.' }),
    project_id: id.nullable().meta({ description: 'The project that the request acts in.' }),
    person: z
      .object({ id, name: z.string(), email: z.string(), platform_admin: z.boolean() })
      .nullable()
      .meta({ description: 'Null for an API key.' }),
    api_key: z
      .object({
        id,
        name: z.string(),
        permission: z.enum(['full_access', 'sending_access']),
        scope: z.enum(['project', 'organization', 'platform']),
        domain: z.string().nullable(),
        test: z.boolean(),
      })
      .nullable()
      .meta({ description: 'Null for a person.' }),
    organizations: z
      .array(z.object({ id, name: z.string(), role: memberRole }))
      .meta({ description: 'Those that a person belongs to; empty for an API key.' }),
  })
  .meta({ id: 'Me' })
