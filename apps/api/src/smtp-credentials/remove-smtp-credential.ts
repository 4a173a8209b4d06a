/** DELETE /smtp-credentials/{id}: revokes it for good. */
import { revokeSmtpCredential } from '@postel/db/queries/smtp-credentials'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'
import { removedSmtpCredentialReply } from './replies.ts'

export const removeSmtpCredential = ({ sql }: ApiContext) =>
  endpoint({
    method: 'delete',
    path: '/smtp-credentials/{id}',
    id: 'removeSmtpCredential',
    tag: 'SMTP credentials',
    summary: 'Revoke an SMTP credential',
    description: 'It is felt everywhere within 5 s, open sessions included.',
    access: 'write',
    params: uuidPath,
    reply: removedSmtpCredentialReply,
    problems: [404],
    serve: async ({ caller, params: { id } }) => {
      if (!(await revokeSmtpCredential(sql, caller.actor, tenantOf(caller), id)))
        throw new Problem('not_found', 'SMTP credential not found.')
      return { object: 'smtp_credential', id, deleted: true }
    },
  })
