/** The session token of whoever asks, while a request of /auth is served. */
import { AsyncLocalStorage } from 'node:async_hooks'

/** The tokens that this request has shown, by their hashes. */
export const shownTokens = new AsyncLocalStorage<Map<string, string>>()

/** Within `work` a list of sessions has the token of whoever asks as it is, so that better-auth knows that session. */
export function knowingOwnToken<Result>(work: () => Result): Result {
  return shownTokens.run(new Map(), work)
}
