/** The caller of an endpoint that decides by itself what it allows. */
import type { Request, Response } from 'express'
import { authenticate } from '../authenticate.ts'
import type { Caller } from '../caller.ts'
import type { ApiContext } from '../context.ts'

/** Whoever asks, without a look at the role; counted like any other request. */
export async function ownCaller(
  context: ApiContext,
  { request, response }: { request: Request; response: Response },
): Promise<Caller> {
  const caller = await authenticate(context, request, 'own')
  context.requests.count(caller, response)
  return caller
}
