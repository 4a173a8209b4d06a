/** Attachments that are given as a URL, fetched: only from public addresses, within a time and a size for all of them. */
import { GuardedFetchError, guardedFetch, readGuardedUrl } from '@postel/runtime/guarded-fetch'
import type { ApiContext } from '../context.ts'
import { fieldProblem, tooLarge } from '../problem.ts'
import type { EmailRequest, GivenAttachment } from './email-request.ts'

const totalMs = 10_000

export type Attachment = Omit<GivenAttachment, 'path' | 'content'> & { content: Buffer }
export type CompleteEmail = Omit<EmailRequest, 'attachments'> & { attachments?: Attachment[] }

/** With the bytes of every attachment. Throws a Problem: 422 for what cannot be fetched, 413 for too much. */
export async function fetchAttachments(
  { limits, webhooksAllowPrivate: allowPrivate }: Pick<ApiContext, 'limits' | 'webhooksAllowPrivate'>,
  { attachments, ...email }: EmailRequest,
): Promise<CompleteEmail> {
  if (!attachments) return email
  const signal = AbortSignal.timeout(totalMs)
  const complete: Attachment[] = []
  let left = limits.maxMessageBytes
  // What is refused without being asked goes before all requests
  for (const [index, { path }] of attachments.entries())
    if (path !== undefined) guarded(index, () => readGuardedUrl(path, { allowPrivate }))
  for (const [index, { path, content, ...attachment }] of attachments.entries()) {
    const bytes =
      path === undefined
        ? content!
        : await guarded(index, () =>
            guardedFetch(path, { allowPrivate, timeoutMs: totalMs, maxBodyBytes: left, signal }).then(
              (reply) => {
                if (reply.truncated) throw tooLarge()
                if (reply.status !== 200) throw refused(index, `It was answered with status ${reply.status}.`)
                if (reply.body.length === 0) throw refused(index, 'It has no content.')
                return reply.body
              },
            ),
          )
    left -= bytes.length
    if (left < 0) throw tooLarge()
    const name = attachment.filename || (path === undefined ? undefined : nameIn(path))
    complete.push({ ...attachment, ...(name !== undefined && { filename: name }), content: bytes })
  }
  return { ...email, attachments: complete }
}

/** Works for what gives a promise and what does not. */
function guarded<Result>(index: number, work: () => Result): Result {
  const explain = (error: unknown): never => {
    throw error instanceof GuardedFetchError ? refused(index, error.message) : error
  }
  try {
    const result = work()
    return (result instanceof Promise ? result.catch(explain) : result) as Result
  } catch (error) {
    return explain(error)
  }
}

/** The last part of a URL's path, where it can be the name of a file. */
function nameIn(path: string): string | undefined {
  try {
    const name = decodeURIComponent(new URL(path).pathname.split('/').at(-1)!)
    return /^[\p{L}\p{N}_ .()-]{1,200}$/u.test(name) && !/^\.*$/.test(name) ? name : undefined
  } catch {
    return undefined
  }
}

function refused(index: number, problem: string) {
  return fieldProblem({ field: `attachments[${index}].path`, problem })
}
