/** Request bodies: admitted within a bound on memory, read, parsed. */
import { type RequestHandler, raw } from 'express'
import { Problem, tooLarge, unavailable } from './problem.ts'

/** Bodies of all requests at one time; beyond it new ones are asked to come again. */
const heldBytesMax = 256 * 1024 * 1024

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Handlers that turn a body of application/json into request.body. 400 for what is not JSON in UTF-8, 413 beyond
 * `maxBytes`, 415 for another content type or a compressed body, 503 while too much is being read already.
 */
export function readJson(maxBytes: number): RequestHandler[] {
  let heldBytes = 0

  const admit: RequestHandler = (request, response, next) => {
    if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? ''))
      throw new Problem('validation_error', 'Send the body as `Content-Type: application/json`.', {
        statusCode: 415,
      })
    const declared = request.headers['content-length']
    const bytes = declared === undefined ? maxBytes : Number(declared)
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
    try {
      request.body = JSON.parse(utf8.decode(Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)))
    } catch {
      throw new Problem('validation_error', 'The request body is not valid JSON.', { statusCode: 400 })
    }
    next()
  }

  return [admit, raw({ type: () => true, limit: maxBytes, inflate: false }), parse]
}
