/** Links that show a message, or one of its attachments, to whoever has them, until they expire. */
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { Problem } from '../problem.ts'

const owner = 'link'

const target = z.object({
  kind: z.enum(['email', 'attachment']),
  organizationId: z.guid(),
  emailId: z.guid(),
  attachmentId: z.guid().optional(),
  /** Milliseconds since 1970. */
  until: z.int(),
})

export type LinkTarget = z.infer<typeof target>
type Sealed = Pick<ApiContext, 'secretBox' | 'publicUrl'>

/** The address behind which `to` is shown; it can be neither read nor made by others. */
export function linkTo({ secretBox, publicUrl }: Sealed, to: LinkTarget): string {
  const token = secretBox.seal(Buffer.from(JSON.stringify(to)), owner).toString('base64url')
  return `${publicUrl}/links/${to.kind === 'email' ? 'emails' : 'attachments'}/${token}`
}

/** What a link shows; throws 404 for one that is not ours, of another kind, or expired. */
export function openLink({ secretBox }: Sealed, kind: LinkTarget['kind'], token: string): LinkTarget {
  let opened: LinkTarget | undefined
  try {
    opened = target.parse(JSON.parse(secretBox.open(Buffer.from(token, 'base64url'), owner).toString()))
  } catch {
    throw noLink()
  }
  if (opened.kind !== kind || opened.until <= Date.now()) throw noLink()
  return opened
}

export const linkPath = z.object({
  token: z.string().regex(/^[\w-]{40,1000}$/, { error: 'must be that of a link.' }),
})

const noLink = () => new Problem('not_found', 'This link is not valid, or has expired.')
