/** Each request as a span, where traces are taken: part of the client's trace when it names one (W3C Trace Context). */
import type { Submission } from '@postel/db/submitter'
import type { Span } from '@postel/runtime/tracing'
import type { RequestHandler, Response } from 'express'
import type { ApiContext } from './context.ts'
import { requestIdOf } from './request-id.ts'

const probes = new Set(['/livez', '/readyz'])

export function traceRequest({ tracing }: ApiContext): RequestHandler {
  return (request, response, next) => {
    const span = probes.has(request.path)
      ? undefined
      : tracing()?.start(request.method, { kind: 'server', parent: request.get('traceparent') })
    if (span) {
      response.locals.span = span
      response.once('close', () => {
        const route = response.locals.route as string | undefined
        span.end({
          name: route === undefined ? request.method : `${request.method} ${route}`,
          attributes: {
            'http.request.method': request.method,
            'http.route': route,
            'http.response.status_code': response.statusCode,
            'postel.request.id': requestIdOf(response),
          },
          ...(response.statusCode >= 500 && { failed: String(response.statusCode) }),
        })
      })
    }
    next()
  }
}

/** The submission as part of the request's trace. */
export function traced(submission: Submission, { locals }: Response): Submission {
  const trace = (locals.span as Span | undefined)?.traceparent
  return trace === undefined ? submission : { ...submission, trace }
}
