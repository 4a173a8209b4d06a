/** Writes that a browser makes for a person come from our own pages, or not at all. */
import type { Request } from 'express'
import { Problem } from '../problem.ts'

const reading = new Set(['GET', 'HEAD'])

/**
 * Throws 403 for a write whose Origin (or, without one, Referer) is not that of `publicUrl`. With `required`, as for all that
 * a cookie vouches for, one of the two must be there; without it, only what names another origin is refused.
 */
export function requireSameOrigin(
  request: Request,
  publicUrl: string,
  { required }: { required: boolean },
): void {
  if (reading.has(request.method)) return
  const given = request.headers.origin ?? request.headers.referer
  if (given === undefined && !required) return
  if (originOf(given) !== new URL(publicUrl).origin)
    throw new Problem('invalid_permission', 'This request comes from another site, so it was not done.')
}

function originOf(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).origin : undefined
}
