/** /emails/{id}/attachments: what is attached, each with a link that downloads it. */
import { findEmail, readStoredMessage } from '@postel/db/queries/emails'
import { z } from 'zod'
import { type Tenant, tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { oneCursor, uuidPage, uuidPath } from '../paging.ts'
import { Problem } from '../problem.ts'
import { linkPath, linkTo, openLink } from './links.ts'
import { readAttachments, type StoredAttachment } from './read-attachments.ts'
import { attachmentReply, attachmentsReply } from './replies.ts'

const linkMs = 3_600_000

export const listAttachments = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/emails/{id}/attachments',
    id: 'listAttachments',
    tag: 'Emails',
    summary: "List an email's attachments",
    access: 'read',
    params: uuidPath,
    query: uuidPage,
    reply: attachmentsReply,
    problems: [404],
    serve: async ({ caller, params: { id }, query }) => {
      const { limit, after, before } = oneCursor(query)
      const tenant = tenantOf(caller)
      const all = await attachmentsOf(context, tenant, id)
      const place = all.findIndex((each) => each.id === (after ?? before)?.toLowerCase())
      const rows =
        before === undefined
          ? all.slice(after === undefined ? 0 : place < 0 ? all.length : place + 1).slice(0, limit)
          : all.slice(Math.max(0, place - limit), Math.max(0, place))
      const more = before === undefined ? rows.at(-1) !== all.at(-1) : rows[0] !== all[0]
      return {
        object: 'list',
        has_more: rows.length > 0 && more,
        data: rows.map((each) => shown(context, tenant, id, each)),
      }
    },
  })

export const getAttachment = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/emails/{id}/attachments/{attachment}',
    id: 'getAttachment',
    tag: 'Emails',
    summary: "Get an email's attachment",
    access: 'read',
    params: uuidPath.extend({ attachment: z.guid({ error: 'must be a valid UUID.' }) }),
    reply: attachmentReply,
    problems: [404],
    serve: async ({ caller, params: { id, attachment } }) => {
      const tenant = tenantOf(caller)
      const all = await attachmentsOf(context, tenant, id)
      const found = all.find((each) => each.id === attachment.toLowerCase())
      if (!found) throw noAttachment()
      return { object: 'attachment', ...shown(context, tenant, id, found) }
    },
  })

export const downloadAttachment = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/links/attachments/{token}',
    id: 'downloadAttachment',
    tag: 'Links',
    summary: 'Download an attachment, by its download_url',
    access: 'anyone',
    params: linkPath,
    reply: z.string(),
    replyType: 'application/octet-stream',
    problems: [404],
    serve: async ({ params: { token }, response }) => {
      const { organizationId, emailId, attachmentId } = openLink(context, 'attachment', token)
      const all = await attachmentsOf(context, { organizationId, projectId: null }, emailId)
      const found = all.find((each) => each.id === attachmentId)
      if (!found) throw noAttachment()
      // Never shown by a browser: it is what somebody else has sent
      response.attachment(found.filename ?? 'attachment')
      response.set('content-type', 'application/octet-stream').send(found.content)
      return undefined
    },
  })

async function attachmentsOf(
  { sql, events }: ApiContext,
  tenant: Tenant,
  emailId: string,
): Promise<StoredAttachment[]> {
  const raw = await readStoredMessage(sql, tenant, emailId)
  if (!raw && !(await findEmail(sql, tenant, emailId))) throw new Problem('not_found', 'Email not found.')
  if (!raw) return []
  return readAttachments(emailId, raw).catch((error: unknown) => {
    events.unreadable({ message: emailId }, error)
    return []
  })
}

function shown(context: ApiContext, tenant: Tenant, emailId: string, attachment: StoredAttachment) {
  const { id, filename, contentType, disposition, contentId, content } = attachment
  const until = Date.now() + linkMs
  const { organizationId } = tenant
  return {
    id,
    ...(filename !== undefined && { filename }),
    size: content.length,
    content_type: contentType,
    content_disposition: disposition,
    ...(contentId !== undefined && { content_id: contentId }),
    download_url: linkTo(context, { kind: 'attachment', organizationId, emailId, attachmentId: id, until }),
    expires_at: new Date(until).toISOString(),
  }
}

const noAttachment = () => new Problem('not_found', 'Attachment not found.')
