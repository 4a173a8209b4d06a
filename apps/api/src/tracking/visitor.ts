/** What is noted of who follows a link. */
import type { Request } from 'express'

const charactersMax = 500

/** As it is said, without what Postgres cannot hold; '' where nothing is said. */
export function userAgent(request: Request): string {
  return (request.headers['user-agent'] ?? '').slice(0, charactersMax).toWellFormed().replaceAll('\0', '')
}
