/** `npm run admin`: administrators of the platform and its keys, for whoever can reach the database. */
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Sql } from '@postel/db/client'
import { newSecret } from '@postel/db/new-secret'
import type { Actor } from '@postel/db/queries/audit'
import {
  addPlatformKey,
  isKnownEmail,
  listOperators,
  makeOperator,
  setBlocked,
} from '@postel/db/queries/people'
import { isProblem, parseAddressList } from '@postel/mail/address'
import { hashPassword, passwordProblem } from '../people/passwords.ts'

export const usage = `npm run admin -- <command>

  create --email ann@example.com --name "Ann Example" [--password-stdin]
      Makes an administrator of the platform. With --password-stdin the password is the first line of the standard
      input, else a random one is made for a new account and shown once. Known people keep their account and, without
      --password-stdin, their password.
  list                             Shows the administrators.
  key [--name "a name"]            Makes an API key of the platform, which is shown once.
  block --email ann@example.com    Ends all sessions of a person, and lets nobody sign in with that account.
  unblock --email ann@example.com  Lets the person in again.`

const actor: Actor = { kind: 'system', id: null, name: 'npm run admin', address: null }

/** A wrong use of the command; the message says what to do. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Does what the arguments say and returns what to print. Throws UsageError. `readLine` gives the first line of the input. */
export async function runAdmin(sql: Sql, args: string[], readLine: () => Promise<string>): Promise<string> {
  const { command, email, name, passwordStdin } = readArguments(args)
  switch (command) {
    case 'create':
      return create(
        sql,
        required(email, '--email'),
        required(name, '--name'),
        passwordStdin ? await readLine() : null,
      )
    case 'list': {
      const operators = await listOperators(sql)
      if (operators.length === 0) return 'There is no administrator yet: npm run admin -- create'
      return operators
        .map(
          (each) => `${each.email}  ${each.name}  since ${each.createdAt}${each.blocked ? '  blocked' : ''}`,
        )
        .join('\n')
    }
    case 'key': {
      const { secret, prefix, hash } = newSecret('pk_live_')
      await addPlatformKey(sql, actor, { name: name ?? 'platform', prefix, hash })
      return `The API key of the platform, shown only now:\n${secret}`
    }
    case 'block':
    case 'unblock': {
      const address = required(email, '--email')
      if (!(await setBlocked(sql, actor, address, command === 'block')))
        throw new UsageError(`Nobody has an account with ${address}.`)
      return command === 'block'
        ? `${address} is blocked, and signed out everywhere.`
        : `${address} may sign in again.`
    }
    default:
      throw new UsageError(usage)
  }
}

async function create(sql: Sql, email: string, name: string, given: string | null): Promise<string> {
  const list = parseAddressList(email)
  if (isProblem(list) || list.mailboxes.length !== 1)
    throw new UsageError(`${email} is not an e-mail address.`)
  const known = await isKnownEmail(sql, email)
  const made = given === null && !known ? randomBytes(18).toString('base64url') : null
  const password = given ?? made
  if (given !== null) {
    const problem = passwordProblem(given, email)
    if (problem !== undefined) throw new UsageError(problem)
  }
  const passwordHash = password === null ? null : await hashPassword(password)
  const outcome = await makeOperator(sql, actor, { email, name, passwordHash })
  return [
    outcome === 'made'
      ? `${email} is an administrator of the platform.`
      : `${email} has an account, and is an administrator of the platform.`,
    ...(made === null ? [] : [`The password, shown only now: ${made}`]),
  ].join('\n')
}

function readArguments(args: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        email: { type: 'string' },
        name: { type: 'string' },
        'password-stdin': { type: 'boolean', default: false },
      },
    })
    if (positionals.length > 1) throw new Error(`unexpected: ${positionals.slice(1).join(' ')}`)
    return {
      command: positionals[0],
      email: values.email,
      name: values.name,
      passwordStdin: values['password-stdin'],
    }
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${usage}`)
  }
}

function required(value: string | undefined, option: string): string {
  if (value === undefined || value.trim() === '') throw new UsageError(`${option} is missing.\n\n${usage}`)
  return value.trim()
}
