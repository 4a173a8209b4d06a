/** What the log of requests keeps of a request: nothing of its body, nor of its query. */
import type { RequestRecord } from '@postel/db/queries/request-logs'
import type { Request, Response } from 'express'
import type { Caller } from '../caller.ts'

const pathCharactersMax = 500
const textCharactersMax = 1_000

/** Of an API key's request in an organization, once it has been answered, or its client went away; undefined for any other. */
export function recordOf(
  request: Request,
  response: Response,
  status: number,
  durationMs: number,
): RequestRecord | undefined {
  const caller = response.locals.caller as Caller | undefined
  if (caller?.actor.kind !== 'api_key' || caller.organizationId === null) return undefined
  return {
    at: new Date(),
    organizationId: caller.organizationId,
    projectId: caller.projectId,
    apiKeyId: caller.actor.id,
    method: request.method,
    path: request.path.slice(0, pathCharactersMax),
    status,
    durationMs: Math.round(durationMs),
    userAgent: request.get('user-agent')?.slice(0, textCharactersMax) ?? null,
    error: (response.locals.refusal as string | undefined)?.slice(0, textCharactersMax) ?? null,
  }
}
