/**
 * The HTTP application: clean the URL → count the request → route → authenticate → read the body → handle → map errors.
 */
import { withDeadline } from '@postel/runtime/health'
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express'
import { authenticate } from './authenticate.ts'
import type { ApiContext } from './context.ts'
import { docs } from './docs.ts'
import { getEmail } from './get-email.ts'
import { readJson } from './json-body.ts'
import { listEmails } from './list-emails.ts'
import { openApiDocument } from './openapi.ts'
import { Problem, toProblem } from './problem.ts'
import { getSandboxMessage, listSandbox } from './sandbox-messages.ts'
import { sendBatch } from './send-batch.ts'
import { sendEmail } from './send-email.ts'

type Handlers = { get?: RequestHandler[]; post?: RequestHandler[] }

const readyWithinMs = 5_000

/** Builds the application; it holds no resource of its own. */
export function createApp(context: ApiContext): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.use(collapseSlashes, guardHeaders, countRequest(context))

  const sender = authenticate(context.credentials, 'sending_access')
  const reader = authenticate(context.credentials, 'full_access')
  // Base64 makes four bytes of three.
  const json = readJson(Math.ceil((context.limits.maxMessageBytes * 4) / 3) + 1024 * 1024)

  route(app, '/emails', { get: [reader, listEmails(context)], post: [sender, ...json, sendEmail(context)] })
  route(app, '/emails/batch', { post: [sender, ...json, sendBatch(context)] })
  route(app, '/emails/:id', { get: [reader, getEmail(context)] })
  route(app, '/sandbox/messages', { get: [listSandbox(context)] })
  route(app, '/sandbox/messages/:id', { get: [getSandboxMessage(context)] })

  const document = openApiDocument(context.publicUrl)
  route(app, '/openapi.json', { get: [(_request, response) => void response.json(document)] })
  for (const page of docs()) route(app, page.path, { get: [page.handler] })

  route(app, '/livez', { get: [(_request, response) => void response.type('text').send('ok\n')] })
  route(app, '/readyz', { get: [readyz(context)] })

  app.use(() => {
    throw new Problem('not_found', 'The requested endpoint does not exist.')
  })
  app.use(sendProblem(context))
  return app
}

/** Serves a path's methods, and answers the others with 405. */
function route(app: Express, path: string, handlers: Handlers): void {
  const at = app.route(path).all((_request, response, next) => {
    response.locals.route = path
    next()
  })
  const allow: string[] = []
  for (const method of ['get', 'post'] as const) {
    const steps = handlers[method]
    if (!steps) continue
    allow.push(method === 'get' ? 'GET, HEAD' : 'POST')
    at[method](...steps)
  }
  at.all(() => {
    throw new Problem('method_not_allowed', `This endpoint takes ${allow.join(', ')} only.`, {
      headers: { allow: allow.join(', ') },
    })
  })
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

function countRequest({ events }: ApiContext): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now()
    response.once('close', () => {
      events.served({
        method: request.method,
        route: response.locals.route ?? 'none',
        // 499, as nginx has it: the client went away before the reply.
        status: response.writableEnded ? response.statusCode : 499,
        seconds: (performance.now() - startedAt) / 1000,
      })
    })
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
    if (problem.statusCode >= 500)
      events.faulted(
        { method: request.method, route: response.locals.route ?? 'none', status: problem.statusCode },
        error,
      )
    if (response.headersSent) return next(error)
    // The rest of a body that nobody will read is not worth keeping the connection.
    if (!request.complete) response.set('connection', 'close')
    response.status(problem.statusCode).set(problem.headers).json(problem.body())
  }
}
