/** Endpoints as routes of express: authenticate → read the parameters and the body → serve → answer. */
import type { Express, Request, RequestHandler } from 'express'
import type { z } from 'zod'
import { authenticate } from './authenticate.ts'
import type { Caller } from './caller.ts'
import type { ApiContext } from './context.ts'
import type { Ask, Endpoint } from './endpoint.ts'
import { Problem, parameterProblem } from './problem.ts'
import { readBody } from './read-body.ts'
import { refuseUnstorable } from './storable.ts'

const defaultBodyBytes = 1024 * 1024

/** Serves the endpoints of each path, and answers its other methods with 405. Literal paths go before those with parameters. */
export function addRoutes(app: Express, endpoints: readonly Endpoint[], context: ApiContext): void {
  const byPath = Map.groupBy(endpoints, ({ path }) => path)
  const paths = [...byPath.keys()].sort((a, b) => rank(a).localeCompare(rank(b)))
  for (const path of paths)
    addPath(
      app,
      path.replaceAll(/\{(\w+)\}/g, ':$1'),
      Object.fromEntries(byPath.get(path)!.map((each) => [each.method, stepsOf(each, context)])),
    )
}

/** Parameters sort after every literal. */
function rank(path: string): string {
  return path.replaceAll(/\{\w+\}/g, '\u{ffff}')
}

/** Serves a path's methods, and answers the others with 405. */
export function addPath(
  app: Express,
  path: string,
  handlers: Partial<Record<string, RequestHandler[]>>,
): void {
  const at = app.route(path).all((_request, response, next) => {
    response.locals.route = path
    next()
  })
  const allow: string[] = []
  for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
    const steps = handlers[method]
    if (!steps) continue
    allow.push(method === 'get' ? 'GET, HEAD' : method.toUpperCase())
    at[method](...steps)
  }
  at.all(() => {
    throw new Problem('method_not_allowed', `This endpoint takes ${allow.join(', ')} only.`, {
      headers: { allow: allow.join(', ') },
    })
  })
}

function stepsOf(endpoint: Endpoint, context: ApiContext): RequestHandler[] {
  const { access, body, status = 200, params, query } = endpoint
  const identify: RequestHandler = async (request, response, next) => {
    if (access !== 'anyone' && access !== 'own') {
      const caller = await authenticate(context, request, access)
      context.requests.count(caller, response)
      refuseFrozen(caller, endpoint)
      response.locals.caller = caller
    }
    next()
  }
  const serve: RequestHandler = async (request, response) => {
    const given = body?.parse(request.body)
    refuseUnstorable(given)
    const ask = {
      caller: response.locals.caller as Caller,
      params: readParameters(params, request.params),
      query: readParameters(query, request.query),
      body: given,
      request,
      response,
    }
    const reply = await endpoint.serve(ask as unknown as Ask<never, never, never>)
    if (reply !== undefined) response.status(status).json(reply)
  }
  return body ? [identify, ...bodyReader(body, context), serve] : [identify, serve]
}

/** Whoever reads may go on; operators, who froze it, may change it. */
function refuseFrozen({ organizationStatus, role }: Caller, { method }: Endpoint): void {
  if (organizationStatus !== 'frozen' || role === 'operator' || method === 'get') return
  throw new Problem('suspended_api_key', 'This organization is frozen: it can be read, and nothing else.')
}

function bodyReader(body: NonNullable<Endpoint['body']>, { limits }: ApiContext): RequestHandler[] {
  const { maxBytes = defaultBodyBytes, type = 'application/json', required = true } = body
  return readBody({
    type,
    required,
    maxBytes:
      maxBytes === 'message'
        ? // Base64 makes four bytes of three.
          Math.ceil((limits.maxMessageBytes * 4) / 3) + defaultBodyBytes
        : maxBytes,
  })
}

/** Throws a Problem for what is not right; unknown parameters are ignored. */
function readParameters(schema: z.ZodType | undefined, given: Request['query'] | Request['params']): unknown {
  if (!schema) return {}
  refuseUnstorable(given)
  const result = schema.safeParse(given)
  if (!result.success) throw parameterProblem(result.error)
  return result.data
}
