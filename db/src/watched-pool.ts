/**
 * A pool of postgres.js whose statements always end. A statement that meets a connection between its error and its close is
 * kept by that connection and never sent, nor rejected, and what comes behind it waits as well (seen with 3.4.9 about
 * once in a hundred restarts of Postgres under load).
 */

import type postgres from 'postgres'
import { isReadOnly, NoAnswerError } from './errors.ts'
import type { PoolUsage } from './pool-usage.ts'

type Statement = Promise<unknown> & {
  /** Sends it; postgres.js calls it when somebody waits for the result. */
  handle(): unknown
  reject(error: Error): void
}

/** How long a pool is given before it is replaced because its server takes no writes. */
const replaceEveryMs = 1_000

/**
 * The pool that `open` gives, with a deadline for each statement: one that has no answer in time is rejected, and the
 * pool is replaced by a new one, because it has a connection that answers no more. It is replaced as well when its server
 * has become a standby: its connections would stay there. Statements of `begin` and `reserve` have no deadline.
 */
export function watchedPool(open: () => postgres.Sql, deadlineMs: number, usage: PoolUsage): postgres.Sql {
  let pool = open()
  let openedAt = performance.now()
  let ended = false

  const replace = (from: postgres.Sql, timeout: number) => {
    if (pool !== from || ended) return
    pool = open()
    openedAt = performance.now()
    void from.end({ timeout }).catch(() => {})
  }

  const watch = <Result>(from: postgres.Sql, result: Result): Result => {
    const statement = result as unknown as Statement
    if (typeof statement.handle !== 'function') return result
    const { handle } = statement
    let timer: NodeJS.Timeout | undefined
    statement.handle = () => {
      if (!timer) {
        timer = setTimeout(() => {
          statement.reject(new NoAnswerError())
          replace(from, 0)
        }, deadlineMs)
        usage.begin()
        Promise.prototype.then.call(
          statement,
          () => {
            clearTimeout(timer)
            usage.end()
          },
          (error) => {
            clearTimeout(timer)
            usage.fail()
            if (isReadOnly(error) && performance.now() - openedAt > replaceEveryMs) replace(from, 5)
          },
        )
      }
      return handle.call(statement)
    }
    return result
  }

  return new Proxy(pool, {
    apply: (_, __, args: Parameters<postgres.Sql>) => watch(pool, pool(...args)),
    get: (_, name: keyof postgres.Sql) => {
      if (name === 'unsafe')
        return (...args: Parameters<postgres.Sql['unsafe']>) => watch(pool, pool.unsafe(...args))
      if (name === 'end') {
        ended = true
        usage.close()
      }
      return pool[name]
    },
  })
}
