/** POST /emails/{id}/share: a link that shows an email to whoever has it; and the page behind it. */
import { findEmail, readStoredMessage, shareEmail as share } from '@postel/db/queries/emails'
import { z } from 'zod'
import { tenantOf } from '../caller.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { escapeHtml } from '../html.ts'
import { uuidPath } from '../paging.ts'
import { bodyOf } from '../parse-with.ts'
import { Problem } from '../problem.ts'
import { lifetimeField, withResendNames } from './email-request.ts'
import { linkPath, linkTo, openLink } from './links.ts'
import { readAttachments, type StoredAttachment } from './read-attachments.ts'
import { readContent } from './read-message.ts'
import { sharedReply } from './replies.ts'
import { showSummary } from './show-email.ts'

const defaultSeconds = 48 * 3600

const shareRequest = z
  .object(
    {
      expires_in: lifetimeField.optional().meta({
        description: 'Seconds, or like `10m`, `2h` or `3d`; at most 30 days. Default: 48 hours.',
        example: '48h',
      }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'ShareEmailRequest' })
const body = bodyOf(shareRequest, { required: false })

export const shareEmail = (context: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/emails/{id}/share',
    id: 'shareEmail',
    tag: 'Emails',
    summary: 'Make a link that shows an email',
    access: 'write',
    params: uuidPath,
    body: { ...body, parse: (given) => body.parse(withResendNames(given)) },
    reply: sharedReply,
    problems: [404],
    serve: async ({ caller, params: { id }, body: { expires_in = defaultSeconds } }) => {
      const tenant = tenantOf(caller)
      const until = Date.now() + expires_in * 1000
      if (!(await share(context.sql, { tenant, actor: caller.actor, id }, new Date(until))))
        throw new Problem('not_found', 'Email not found.')
      const { organizationId } = tenant
      return {
        object: 'email',
        id,
        url: linkTo(context, { kind: 'email', organizationId, emailId: id, until }),
      }
    },
  })

/** Nothing of a message is run or loaded from elsewhere: its HTML is in a frame without rights, under this policy as well. */
const policy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export const showSharedEmail = (context: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/links/emails/{token}',
    id: 'showSharedEmail',
    tag: 'Links',
    summary: 'A shared email, as a page',
    access: 'anyone',
    params: linkPath,
    reply: z.string(),
    replyType: 'text/html',
    problems: [404],
    serve: async ({ params: { token }, response }) => {
      const { organizationId, emailId } = openLink(context, 'email', token)
      const tenant = { organizationId, projectId: null }
      const email = await findEmail(context.sql, tenant, emailId)
      const raw = email && (await readStoredMessage(context.sql, tenant, emailId))
      if (!raw) throw new Problem('not_found', 'This email is not kept any more.')
      response.set({ 'content-security-policy': policy, 'referrer-policy': 'no-referrer' })
      response.type('html').send(pageOf(showSummary(email), await readParts(context, emailId, raw)))
      return undefined
    },
  })

type Parts = { html: string | null; text: string | null; attachments: StoredAttachment[] }

async function readParts({ links, events }: ApiContext, id: string, raw: Buffer): Promise<Parts> {
  try {
    return { ...(await readContent(links.without(raw))), attachments: await readAttachments(id, raw) }
  } catch (error) {
    events.unreadable({ message: id }, error)
    return { html: null, text: null, attachments: [] }
  }
}

function pageOf(email: ReturnType<typeof showSummary>, { html, text, attachments }: Parts): string {
  const rows = [
    ['From', email.from],
    ['To', email.to.join(', ')],
    ['Date', `${email.created_at.slice(0, 19)} UTC`],
    [
      'Attached',
      attachments
        .filter(({ disposition }) => disposition === 'attachment')
        .map(nameOf)
        .join(', '),
    ],
  ].filter(([, value]) => value !== '')
  const body =
    html === null
      ? `<pre>${escapeHtml(text ?? '')}</pre>`
      : `<iframe sandbox="" title="The email" srcdoc="${escapeHtml(withImages(html, attachments))}"></iframe>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(email.subject)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
dt { float: left; clear: left; width: 6rem; color: #666; } dd { margin: 0 0 0 6rem; overflow-wrap: anywhere; }
iframe { width: 100%; height: 75vh; border: 1px solid #ccc; } pre { white-space: pre-wrap; }
</style>
</head>
<body>
<h1>${escapeHtml(email.subject)}</h1>
<dl>${rows.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value!)}</dd>`).join('')}</dl>
${body}
</body>
</html>
`
}

function nameOf({ filename }: StoredAttachment): string {
  return filename ?? 'without a name'
}

/** Pictures that come with the message, in place of the names that it gives them. */
function withImages(html: string, attachments: readonly StoredAttachment[]): string {
  let shown = html
  for (const { contentId, contentType, content } of attachments)
    if (contentId !== undefined && /^image\/[a-z0-9.+-]+$/.test(contentType))
      shown = shown.replaceAll(
        `cid:${contentId}`,
        () => `data:${contentType};base64,${content.toString('base64')}`,
      )
  return shown
}
