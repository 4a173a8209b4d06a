/** People's passwords: how they are kept, and which are refused. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { unavailable } from '../problem.ts'

export const minPasswordCharacters = 12
export const maxPasswordCharacters = 256

/** As costly to guess as OWASP asks (Password Storage Cheat Sheet, scrypt), with 16 MiB each. */
const parameters = { N: 2 ** 14, r: 8, p: 5 }
const keyBytes = 32
/** Each keeps a thread of the pool busy, which DNS and compression use as well. */
const atOnce = 2
const waitingMax = 200

let running = 0
const waiting: (() => void)[] = []

/** `scrypt$N$r$p$salt$key`. Refused with 503 while too many wait. */
export async function hashPassword(password: string): Promise<string> {
  const { N, r, p } = parameters
  const salt = randomBytes(16)
  const key = await derive(password, salt, { N, r, p })
  return ['scrypt', N, r, p, salt.toString('base64url'), key.toString('base64url')].join('$')
}

/** Takes as long as hashPassword, whatever the answer is. */
export async function verifyPassword({
  hash,
  password,
}: {
  hash: string
  password: string
}): Promise<boolean> {
  const [kind, N, r, p, salt, key] = hash.split('$')
  if (kind !== 'scrypt' || key === undefined) return false
  const expected = Buffer.from(key, 'base64url')
  const derived = await derive(password, Buffer.from(salt!, 'base64url'), {
    N: Number(N),
    r: Number(r),
    p: Number(p),
  })
  return expected.length === derived.length && timingSafeEqual(expected, derived)
}

async function derive(password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> {
  if (running >= atOnce) {
    if (waiting.length >= waitingMax) throw unavailable('Too many people sign in. Try again later.')
    await new Promise<void>((resolve) => waiting.push(resolve))
  } else running++
  try {
    return await new Promise((resolve, reject) =>
      scrypt(
        password.normalize('NFKC'),
        salt,
        keyBytes,
        { ...options, maxmem: 64 * 1024 * 1024 },
        (error, key) => (error ? reject(error) : resolve(key)),
      ),
    )
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
}

/** Words and rows of keys that well-known passwords are made of, longest first. */
const knownParts = [
  'passwort',
  'password',
  'passw0rd',
  'p@ssw0rd',
  'p@ssword',
  'administrator',
  'changeme',
  'welcome',
  'willkommen',
  'iloveyou',
  'princess',
  'football',
  'baseball',
  'sunshine',
  'superman',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  '1q2w3e4r5t6y',
  '1q2w3e4r',
  '1qaz2wsx3edc',
  '1qaz2wsx',
  'qwertzuiop',
  'qwerty',
  'qwertz',
  'azerty',
  'abcdefghijklmnopqrstuvwxyz',
  'abcdef',
  'abc',
  'letmein',
  'monkey',
  'dragon',
  'master',
  'secret',
  'admin',
  'login',
  'postel',
  'test',
].sort((a, b) => b.length - a.length)
const rowsOfDigits =
  /(?:0?1234567890?|123456789|12345678|1234567|123456|12345|1234|123|0987654321|987654321|654321|321)+/g

/**
 * What is wrong with a password, as a sentence; undefined when it may be used. Refused are those that are short, are made
 * of a few characters or of well-known parts and digits, or are the person's own address.
 */
export function passwordProblem(password: string, email?: string): string | undefined {
  if (password.length < minPasswordCharacters)
    return `The password must have at least ${minPasswordCharacters} characters.`
  if (password.length > maxPasswordCharacters)
    return `The password must have at most ${maxPasswordCharacters} characters.`
  const plain = password.normalize('NFKC').toLowerCase()
  if (new Set(plain).size < 5) return 'The password repeats a few characters only. Choose another.'
  const address = email?.toLowerCase()
  const localPart = address?.split('@')[0]
  let rest = plain
  for (const part of [
    address,
    localPart !== undefined && localPart.length > 3 ? localPart : undefined,
    ...knownParts,
  ])
    if (part) rest = rest.replaceAll(part, '')
  rest = rest
    .replaceAll(rowsOfDigits, '')
    .replaceAll(/(?:19|20)\d\d/g, '')
    .replaceAll(/[^\p{L}\p{N}]/gu, '')
  return rest.length < 4
    ? 'The password is made of well-known words or of your address. Choose another.'
    : undefined
}
