/** GET /smtp-credentials: those that are not revoked, newest first. */
import {
  listSmtpCredentials as readSmtpCredentials,
  type SmtpCredentialRow,
} from '@postel/db/queries/smtp-credentials'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage } from '../paging.ts'
import { type SmtpCredentialReply, smtpCredentialsReply } from './replies.ts'

export const listSmtpCredentials = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/smtp-credentials',
    id: 'listSmtpCredentials',
    tag: 'SMTP credentials',
    summary: 'List SMTP credentials, newest first',
    access: 'read',
    query: uuidPage,
    reply: smtpCredentialsReply,
    serve: async ({ caller, query }) => {
      const page = await readSmtpCredentials(sql, tenantOf(caller), oneCursor(query))
      return { object: 'list', has_more: page.hasMore, data: page.rows.map(showSmtpCredential) }
    },
  })

function showSmtpCredential(row: SmtpCredentialRow): SmtpCredentialReply {
  return {
    id: row.id,
    name: row.name,
    project_id: row.projectId,
    prefix: row.prefix,
    network: row.network,
    test: row.test,
    created_at: row.createdAt,
    expires_at: row.expiresAt,
    last_used_at: row.lastUsedAt,
  }
}
