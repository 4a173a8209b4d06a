/**
 * The HTTP application: name and trace the request → clean the URL → count the request → route → authenticate → read the body → serve → map errors.
 */
import { finished } from 'node:stream'
import { withDeadline } from '@postel/runtime/health'
import { Networks } from '@postel/runtime/networks'
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'
import type { ApiContext } from './context.ts'
import { docs } from './docs.ts'
import { allEndpoints } from './endpoints.ts'
import { recordOf } from './logs/record-of.ts'
import { notOffered } from './not-offered.ts'
import { openApiDocument } from './openapi.ts'
import { Problem, toProblem, unavailable } from './problem.ts'
import { identifyRequest, requestIdOf } from './request-id.ts'
import { addPath, addRoutes } from './routes.ts'
import { refuseAmbiguous } from './strict-request.ts'
import { traceRequest } from './trace-request.ts'

const readyWithinMs = 5_000

/** Builds the application; it holds no resource of its own. */
export function createApp(context: ApiContext): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  const isTrusted = new Networks(context.trustedProxies)
  app.set('trust proxy', (address: string) => isTrusted.includes(address))
  app.use(
    identifyRequest,
    traceRequest(context),
    collapseSlashes,
    guardHeaders,
    countRequest(context),
    refuseEarly(context),
    refuseAmbiguous,
  )

  app.use('/auth', ...context.people.handlers)
  app.use(notOffered(context))
  const endpoints = allEndpoints(context)
  addRoutes(app, endpoints, context)

  const document = openApiDocument(endpoints, context.publicUrl)
  addPath(app, '/openapi.json', { get: [(_request, response) => void response.json(document)] })
  for (const page of docs()) addPath(app, page.path, { get: [page.handler] })

  addPath(app, '/livez', { get: [(_request, response) => void response.type('text').send('ok\n')] })
  addPath(app, '/readyz', { get: [readyz(context)] })

  app.use(() => {
    throw new Problem('not_found', 'The requested endpoint does not exist.')
  })
  app.use(sendProblem(context))
  return app
}

/** SDKs join a base URL and a path with one slash or two. */
const collapseSlashes: RequestHandler = (request, _response, next) => {
  const query = request.url.indexOf('?')
  const path = query < 0 ? request.url : request.url.slice(0, query)
  if (path.includes('//'))
    request.url = path.replace(/\/{2,}/g, '/') + (query < 0 ? '' : request.url.slice(query))
  next()
}

const guardHeaders: RequestHandler = (_request, response, next) => {
  response.set({
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
  })
  next()
}

function countRequest({ events, requestLog }: ApiContext): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now()
    events.asked()
    response.once('close', () => {
      // 499, as nginx has it: the client went away before the reply.
      const status = response.writableEnded || response.locals.told ? response.statusCode : 499
      events.served({
        request: requestIdOf(response),
        method: request.method,
        route: response.locals.route ?? 'none',
        status,
        seconds: (performance.now() - startedAt) / 1000,
      })
      const record = recordOf(request, response, status, performance.now() - startedAt)
      if (record) requestLog.add(record)
    })
    next()
  }
}

/** Only health is told before the process has started. */
function refuseEarly({ hasStarted }: ApiContext): RequestHandler {
  return (request, _response, next) => {
    if (!hasStarted() && !/^\/(livez|readyz)$/.test(request.path))
      throw unavailable('The service is starting. Try again later.')
    next()
  }
}

function readyz({ ready }: ApiContext): RequestHandler {
  return async (_request, response) => {
    await withDeadline(ready(), readyWithinMs).then(
      () => response.type('text').send('ok\n'),
      () => response.status(503).type('text').send('not ready: the database cannot be used\n'),
    )
  }
}

function sendProblem({ events }: ApiContext): ErrorRequestHandler {
  return (error, request, response, next) => {
    const problem = toProblem(error)
    events.refused(problem.kind)
    if (problem.statusCode >= 500)
      events.faulted(
        {
          request: requestIdOf(response),
          method: request.method,
          route: response.locals.route ?? 'none',
          status: problem.statusCode,
        },
        error,
      )
    if (response.headersSent) return next(error)
    response.locals.refusal = `${problem.kind}: ${problem.message}`
    response.status(problem.statusCode).set(problem.headers)
    if (request.complete) response.json(problem.body())
    else answerWhoStillSends(request, response, problem.body())
  }
}

/**
 * Gives the whole reply now, but ends it with the request, whose rest is passed over: a connection that is closed while the
 * client sends is reset, and the client sees that instead of the reply. How long it may go on is the server's requestTimeout.
 */
function answerWhoStillSends(request: Request, response: Response, body: object): void {
  const text = Buffer.from(JSON.stringify(body))
  response.type('json').set('content-length', String(text.length)).write(text)
  // Who broke the request off reads nothing any more
  response.locals.told = !request.destroyed
  finished(request.resume(), () => response.end())
}
