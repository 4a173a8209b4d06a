/** The tables of people's accounts as better-auth sees them: over a client of its own, with session tokens kept as hashes. */
import { createHash } from 'node:crypto'
import type { DBAdapter, DBAdapterInstance, Where } from '@better-auth/core/db/adapter'
import type { Sql } from '@postel/db/client'
import * as tables from '@postel/db/schema/people'
import { drizzleAdapter } from 'better-auth/adapters/drizzle'
import { DrizzleQueryError } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { shownTokens } from './own-token.ts'

/** No token that better-auth makes begins with it. */
const hashMark = 'sha256:'
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const idFields = new Set(['id', 'userId'])

/** How the token of a session stands in the database; what is a hash already stays one. */
export function storedToken(token: string): string {
  return token.startsWith(hashMark)
    ? token
    : hashMark + createHash('sha256').update(token).digest('base64url')
}

/**
 * The adapter for better-auth. `sql` is drizzle's alone, because drizzle changes the parsers of its client. Whoever has a
 * copy of the tables has no token: a session is found by the hash of what the cookie holds, and lists of sessions show
 * hashes, which name a session to revoke but open nothing. Ids that are no UUID name nothing, instead of being an error.
 */
export function authDatabase(sql: Sql): DBAdapterInstance {
  const adapter = drizzleAdapter(drizzle(sql, { casing: 'snake_case' }), {
    provider: 'pg',
    // One statement is a transaction: see connect()
    transaction: false,
    schema: {
      user: tables.users,
      session: tables.sessions,
      account: tables.accounts,
      verification: tables.verifications,
      twoFactor: tables.twoFactors,
      passkey: tables.passkeys,
      rateLimit: tables.authRateLimits,
    },
  })
  return (options) => guarded(adapter(options))
}

type Row = Record<string, unknown>

function guarded(inner: DBAdapter): DBAdapter {
  const outer: DBAdapter = {
    ...inner,
    create: async (ask) => {
      const { token } = ask.data as Row
      if (ask.model !== 'session' || typeof token !== 'string') return inner.create(ask)
      const row = await inner.create({ ...ask, data: { ...ask.data, token: storedToken(token) } })
      return { ...(row as object), token } as never
    },
    findOne: async (ask) => {
      if (namesNothing(ask.where)) return null
      return shown(ask, await inner.findOne(hashed(ask)))
    },
    findMany: async (ask) => {
      if (namesNothing(ask.where)) return []
      const rows = await inner.findMany(hashed(ask))
      return rows.map((row) => shown(ask, row) as never)
    },
    count: async (ask) => (namesNothing(ask.where) ? 0 : inner.count(hashed(ask))),
    update: async (ask) => {
      if (namesNothing(ask.where)) return null
      return shown(ask, await inner.update(hashed(ask)))
    },
    updateMany: async (ask) => (namesNothing(ask.where) ? 0 : inner.updateMany(hashed(ask))),
    delete: async (ask) => {
      if (!namesNothing(ask.where)) await inner.delete(hashed(ask))
    },
    deleteMany: async (ask) => (namesNothing(ask.where) ? 0 : inner.deleteMany(hashed(ask))),
    consumeOne: async (ask) => (namesNothing(ask.where) ? null : inner.consumeOne(hashed(ask))),
    incrementOne: async (ask) => (namesNothing(ask.where) ? null : inner.incrementOne(ask)),
    transaction: (work) => work(outer),
  }
  return Object.assign(
    outer,
    Object.fromEntries(statements.map((name) => [name, plainly(outer[name] as Statement)])),
  )
}

const statements = [
  'create',
  'findOne',
  'findMany',
  'count',
  'update',
  'updateMany',
  'delete',
  'deleteMany',
  'consumeOne',
  'incrementOne',
] as const

type Statement = (ask: never) => Promise<unknown>

/** The database's error instead of drizzle's, whose message has the parameters in it and so gets into logs. */
function plainly(statement: Statement): Statement {
  return async (ask) => {
    try {
      return await statement(ask)
    } catch (error) {
      throw error instanceof DrizzleQueryError ? (error.cause ?? new Error('the statement failed')) : error
    }
  }
}

/** Whether it asks for an id that no row can have. */
function namesNothing(where: readonly Where[] = []): boolean {
  return where.some(
    ({ field, value, operator = 'eq' }) =>
      idFields.has(field) && operator === 'eq' && typeof value === 'string' && !uuid.test(value),
  )
}

type Ask = { model: string; where?: Where[] | undefined }

function hashed<Asked extends Ask>(ask: Asked): Asked {
  if (ask.model !== 'session' || !ask.where) return ask
  return {
    ...ask,
    where: ask.where.map((each) => {
      if (each.field !== 'token') return each
      const { value } = each
      if (Array.isArray(value)) return { ...each, value: (value as string[]).map(storedToken) }
      return typeof value === 'string' ? { ...each, value: storedToken(value) } : each
    }),
  }
}

/** With the token as it was asked for: better-auth puts it back into the cookie. */
function shown<Found>(ask: Ask, row: Found): Found {
  if (ask.model !== 'session' || row === null || typeof row !== 'object') return row
  const { token } = row as Row
  const asked = ask.where?.flatMap(({ field, value }) => (field === 'token' ? value : [])) ?? []
  for (const value of asked)
    if (typeof value === 'string') shownTokens.getStore()?.set(storedToken(value), value)
  const given =
    asked.find((value) => typeof value === 'string' && storedToken(value) === token) ??
    shownTokens.getStore()?.get(String(token))
  return given === undefined ? row : { ...row, token: given }
}
