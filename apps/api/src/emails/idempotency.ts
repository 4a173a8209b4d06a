/** Idempotency keys of POST requests: the key itself, and the hash that tells a repetition from another request. */
import { createHash } from 'node:crypto'
import type { OnceOutcome } from '@postel/db/submitter'
import type { Request } from 'express'
import { z } from 'zod'
import 'zod-openapi'
import { Problem } from '../problem.ts'

/** For the documentation. */
export const idempotencyHeader = z.object({
  'Idempotency-Key': z.string().min(1).max(256).optional().meta({
    description:
      'The same key with the same request gives the same answer for 24 hours, and makes one message.',
  }),
})

/** The Idempotency-Key header; undefined without one. */
export function readIdempotencyKey(request: Request): string | undefined {
  const key = request.get('idempotency-key')
  if (key !== undefined && (key.length === 0 || key.length > 256))
    throw new Problem('invalid_idempotency_key', 'The idempotency key must have 1 to 256 characters.')
  return key
}

/** SHA-256 of a validated request; the order of its fields and the spelling of aliases do not matter. */
export function hashRequest(kind: string, request: unknown): Buffer {
  return createHash('sha256').update(`${kind}\n`).update(canonical(request)).digest()
}

/** The ids that answer the request, of this time or of the first; throws when the key was used for another request. */
export function idsOf(outcome: OnceOutcome): string[] {
  if (outcome.outcome === 'conflict')
    throw new Problem(
      'invalid_idempotent_request',
      'This idempotency key has been used with another request in the last 24 hours: use a new key.',
    )
  return outcome.ids
}

/** JSON with sorted keys, and bytes by their hash. As deep as the schemas of requests are. */
function canonical(value: unknown): string {
  if (Buffer.isBuffer(value)) return `"${createHash('sha256').update(value).digest('base64')}"`
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value)
    .filter(([, entry]) => entry !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([name, entry]) => `${JSON.stringify(name)}:${canonical(entry)}`).join(',')}}`
}
