/** Every error body of the API, in Resend's envelope. No other file makes one. */
import { AdmissionError } from '@postel/db/admission'
import { databaseFault, NoAnswerError, sqlState } from '@postel/db/errors'
import { SubmitError } from '@postel/db/submitter'
import type { FieldProblem } from '@postel/mail/compose'
import type { z } from 'zod'

const statuses = {
  invalid_idempotency_key: 400,
  missing_api_key: 401,
  restricted_api_key: 401,
  invalid_api_key: 403,
  suspended_api_key: 403,
  invalid_permission: 403,
  not_found: 404,
  method_not_allowed: 405,
  invalid_idempotent_request: 409,
  concurrent_idempotent_requests: 409,
  resource_locked: 409,
  validation_error: 422,
  missing_required_field: 422,
  invalid_attachment: 422,
  invalid_parameter: 422,
  invalid_region: 422,
  invalid_access: 422,
  daily_quota_exceeded: 429,
  monthly_quota_exceeded: 429,
  rate_limit_exceeded: 429,
  internal_server_error: 500,
  service_unavailable: 503,
} as const

export type ProblemName = keyof typeof statuses
export const problemNames = Object.keys(statuses) as [ProblemName, ...ProblemName[]]

/** A refusal that the client may read: `message` is public. */
export class Problem extends Error {
  override name = 'Problem'
  readonly kind: ProblemName
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>

  constructor(
    kind: ProblemName,
    message: string,
    options: { statusCode?: number; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.kind = kind
    this.statusCode = options.statusCode ?? statuses[kind]
    this.headers = options.headers ?? {}
  }

  body(): { statusCode: number; name: ProblemName; message: string } {
    return { statusCode: this.statusCode, name: this.kind, message: this.message }
  }
}

/** The refusal of one field of a request: `to[1]`, `attachments[0].filename`. */
export function fieldProblem({ field, problem }: FieldProblem): Problem {
  const kind = field.startsWith('attachments') ? 'invalid_attachment' : 'validation_error'
  return new Problem(kind, `Invalid \`${shown(field)}\` field. ${problem}`)
}

/** The first thing that zod found wrong with `input`, which decides whether a field is missing or not right. */
export function schemaProblem(error: z.ZodError, input: unknown): Problem {
  const issue = error.issues[0]!
  if (issue.path.length === 0) return new Problem('validation_error', `The request body ${issue.message}`)
  const field = issue.path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}${text && '.'}${String(part)}`),
    '',
  )
  const missing = valueAt(input, issue.path) === undefined && issue.code !== 'custom'
  return missing
    ? new Problem('missing_required_field', `Missing \`${shown(field)}\` field.`)
    : fieldProblem({ field, problem: `It ${issue.message}` })
}

/** The refusal of a query or path parameter. */
export function parameterProblem(error: z.ZodError): Problem {
  const issue = error.issues[0]!
  return new Problem('validation_error', `The \`${issue.path.join('.')}\` ${issue.message}`)
}

/** What is thrown anywhere while a request is served, as what the client may know of it. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof SubmitError) return fromSubmitError(error)
  if (error instanceof AdmissionError) return fromAdmissionError(error)
  // Before the database: a client that went away has a code of its connection as well
  const status = clientErrorStatus(error)
  if (status === 413) return tooLarge()
  if (status !== undefined)
    return new Problem('validation_error', 'The request cannot be read.', { statusCode: status })
  if (isDatabaseAway(error))
    return unavailable('The service cannot reach its database. Try again later.', error)
  return new Problem('internal_server_error', 'An unexpected error occurred.', { cause: error })
}

export function tooLarge(): Problem {
  return new Problem('validation_error', 'The message is larger than this server accepts.', {
    statusCode: 413,
  })
}

export function unavailable(message: string, cause?: unknown): Problem {
  return new Problem('service_unavailable', message, { headers: { 'retry-after': '5' }, cause })
}

function fromAdmissionError({ refusal, message, retryAfterMs }: AdmissionError): Problem {
  const headers = retryAfterMs === null ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }
  switch (refusal) {
    case 'monthly_quota':
      return new Problem('monthly_quota_exceeded', message, { headers })
    case 'rate':
      return new Problem('rate_limit_exceeded', message, { headers })
    case 'frozen':
    case 'no_receiving':
      return new Problem('suspended_api_key', message)
    default:
      throw new Error(`unreachable: ${refusal satisfies never}`)
  }
}

function fromSubmitError(error: SubmitError): Problem {
  switch (error.fault) {
    case 'data':
      return new Problem('validation_error', 'The message has characters that cannot be stored.', {
        cause: error,
      })
    case 'full':
      return unavailable('The service has no room for more mail. Try again later.', error)
    case 'overloaded':
      return unavailable('The message was not stored. Try again later.', error)
    case 'unavailable':
      // It may be there: what a database that fell silent was sent is carried out when it wakes
      return unavailable(
        'The database did not confirm that the message was stored. Send it again: with the same Idempotency-Key it is stored once.',
        error,
      )
    default: {
      const unreachable: never = error.fault
      throw new Error(`unreachable: ${unreachable}`)
    }
  }
}

/** Faults of a read: Postgres answered that it cannot now, or the link or the driver failed. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof NoAnswerError) return true
  if (sqlState(error) !== undefined) return databaseFault(error) !== 'data'
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  return /^(CONNECT_TIMEOUT|CONNECTION_[A-Z]+|E(CONN|HOST|NET|PIPE|TIMEDOUT|AI_|NOTFOUND)[A-Z]*)$/.test(
    code ?? '',
  )
}

/** Express and its parsers mark what the client did wrong with a status of 4xx. */
function clientErrorStatus(error: unknown): number | undefined {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined
}

/** A field's path may hold a name that the client chose. */
function shown(field: string): string {
  return field.length > 100 ? `${field.slice(0, 100)}…` : field
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<PropertyKey, unknown>)[part]
  }
  return value
}
