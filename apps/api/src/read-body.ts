/** Request bodies: admitted within a bound on memory, read, parsed. */
import { type RequestHandler, raw } from 'express'
import { Problem, tooLarge, unavailable } from './problem.ts'

/** Bodies of all requests at one time; beyond it new ones are asked to come again. */
const heldBytesMax = 256 * 1024 * 1024
let heldBytes = 0

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export type BodyOptions = { type: 'application/json' | 'text/csv'; required: boolean; maxBytes: number }

/**
 * Handlers that turn a body into request.body: JSON into its value, any other type into a string. 400 for what is not
 * JSON (or text) in UTF-8, 413 beyond `maxBytes`, 415 for another content type or a compressed body, 503 while too much
 * is being read already.
 */
export function readBody({ type, required, maxBytes }: BodyOptions): RequestHandler[] {
  const rightType = new RegExp(`^${type} *(;|$)`, 'i')

  const admit: RequestHandler = (request, response, next) => {
    const declared = request.headers['content-length']
    const none =
      declared === '0' || (declared === undefined && request.headers['transfer-encoding'] === undefined)
    const given = request.headers['content-type']
    if (!rightType.test(given ?? '') && !(none && !required && given === undefined))
      throw new Problem('validation_error', `Send the body as \`Content-Type: ${type}\`.`, {
        statusCode: 415,
      })
    const bytes = none ? 0 : declared === undefined ? maxBytes : Number(declared)
    if (bytes > maxBytes) throw tooLarge()
    if (heldBytes + bytes > Math.max(heldBytesMax, maxBytes))
      throw unavailable('Too many requests are being read. Try again later.')
    heldBytes += bytes
    response.once('close', () => {
      heldBytes -= bytes
    })
    next()
  }

  const parse: RequestHandler = (request, _response, next) => {
    const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    try {
      const text = utf8.decode(bytes)
      if (type !== 'application/json') request.body = text
      else request.body = text === '' && !required ? {} : JSON.parse(text)
    } catch {
      throw new Problem(
        'validation_error',
        type === 'application/json'
          ? 'The request body is not valid JSON.'
          : 'The request body is not UTF-8.',
        { statusCode: 400 },
      )
    }
    next()
  }

  return [admit, raw({ type: () => true, limit: maxBytes, inflate: false }), parse]
}
