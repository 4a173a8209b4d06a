// The first administrator is made at the command line, signs in, and leaves no secret in the log of the api.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@postel/db/testing/create-test-database'
import { until } from '@postel/db/testing/factories'
import { totp } from '@postel/runtime/testing/totp'
import { AppProcess } from '../ledger/app-process.ts'
import { ownPort } from '../support/ports.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const directory = mkdtempSync(join(tmpdir(), 'postel-admin-'))
const logFile = join(directory, 'api.log')
const email = 'first.admin@people.test'
const password = 'violet harbour 73 staircase'
let database: TestDatabase
let api: AppProcess
let url: string
let env: Record<string, string>

beforeAll(async () => {
  database = await createTestDatabase()
  const port = await ownPort()
  url = `http://127.0.0.1:${port}`
  env = {
    DATABASE_URL: database.url,
    POSTEL_UNSAFE_DATABASE: 'true',
    POSTEL_SECRET: randomBytes(32).toString('base64'),
    POSTEL_PUBLIC_URL: url,
    API_PORT: `${port}`,
    METRICS_PORT: '0',
    LOG_LEVEL: 'trace',
  }
  api = new AppProcess('api', 'api', env, logFile)
  await api.start()
})
afterAll(async () => {
  await api.end('SIGTERM')
  await database.drop()
  rmSync(directory, { recursive: true })
})

type Ended = { code: number | null; output: string }

/** Runs the command; by default on the test's database. */
async function admin(args: string[], input = '', env: Record<string, string> = {}): Promise<Ended> {
  const child: ChildProcess = spawn(process.execPath, ['apps/api/src/admin/main.ts', ...args], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: database.url, ...env },
    stdio: 'pipe',
  })
  let output = ''
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output += chunk))
  // It may have ended without reading it
  child.stdin!.on('error', () => {}).end(input)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, output: output.trim() }
}

async function auth(path: string, body: unknown, cookie = ''): Promise<Response> {
  return fetch(`${url}/auth${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: url, ...(cookie && { cookie }) },
    body: JSON.stringify(body),
  })
}

async function signIn(secret: string, who = email): Promise<{ status: number; cookie: string }> {
  const response = await auth('/sign-in/email', { email: who, password: secret })
  await response.arrayBuffer()
  const cookie = response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
  return { status: response.status, cookie }
}

async function me(headers: Record<string, string>): Promise<{ status: number; body: { role?: string } }> {
  const response = await fetch(`${url}/me`, { headers })
  return { status: response.status, body: (await response.json()) as { role?: string } }
}

test('an administrator is made, signs in, makes a key, is blocked and let in again; the log names no secret', async () => {
  expect((await admin(['list'])).output).toContain('There is no administrator yet')
  const made = await admin(['create', '--email', email, '--name', 'Ann', '--password-stdin'], `${password}\n`)
  expect(made).toEqual({ code: 0, output: `${email} is an administrator of the platform.` })
  expect((await admin(['list'])).output).toMatch(/^first\.admin@people\.test {2}Ann {2}since \d{4}-/)

  expect((await signIn('violet harbour 73 staircas')).status).toBe(401)
  const { status, cookie } = await signIn(password)
  expect(status).toBe(200)
  expect((await me({ cookie })).body.role).toBe('operator')

  const { output } = await admin(['key'])
  const key = /^pk_live_\w+$/m.exec(output)![0]
  expect((await me({ authorization: `Bearer ${key}` })).body.role).toBe('operator')

  expect((await admin(['block', '--email', email])).output).toContain('is blocked')
  expect((await me({ cookie })).status).toBe(401)
  expect((await signIn(password)).status).toBe(403)
  expect((await admin(['unblock', '--email', email])).code).toBe(0)
  expect((await me({ cookie })).status).toBe(401)
  expect((await signIn(password)).status).toBe(200)

  const log = readFileSync(logFile, 'utf8')
  expect(log).toContain('"event":"served"')
  const token = decodeURIComponent(cookie.split('=')[1]!).split('.')[0]!
  for (const secret of [password, token, key, email])
    expect({ secret, logged: log.includes(secret) }).toEqual({ secret, logged: false })
})

test('who is known keeps the account and becomes an administrator; a random password is shown once', async () => {
  const random = await admin(['create', '--email', 'second@people.test', '--name', 'Second'])
  expect(random.output).toMatch(
    /is an administrator of the platform\.\nThe password, shown only now: [\w-]{24}$/,
  )
  const again = await admin(['create', '--email', 'Second@people.test', '--name', 'Second'])
  expect(again).toEqual({
    code: 0,
    output: 'Second@people.test has an account, and is an administrator of the platform.',
  })
})

test('when POSTEL_SECRET was replaced by way of both, sessions have ended but one-time codes stay', async () => {
  const who = 'rotated@people.test'
  await admin(['create', '--email', who, '--name', 'Rotated', '--password-stdin'], `${password}\n`)
  const before = await signIn(password, who)
  const enabled = await auth('/two-factor/enable', { password }, before.cookie)
  const { totpURI } = (await enabled.json()) as { totpURI: string }
  const code = totp(new URL(totpURI).searchParams.get('secret')!)
  const verified = await auth('/two-factor/verify-totp', { code }, before.cookie)
  expect([verified.status, await verified.text()]).toEqual([200, expect.any(String)])

  await api.end('SIGTERM')
  const POSTEL_SECRET = randomBytes(32).toString('base64')
  const both = { ...env, POSTEL_SECRET, POSTEL_SECRET_PREVIOUS: env.POSTEL_SECRET! }
  api = new AppProcess('api', 'api', both, logFile)
  await api.start()
  await until(async () => /1 secrets of one-time codes/.test(readFileSync(logFile, 'utf8')))
  await api.end('SIGTERM')

  api = new AppProcess('api', 'api', { ...env, POSTEL_SECRET }, logFile)
  await api.start()
  expect((await me({ cookie: before.cookie })).status).toBe(401)
  const { cookie } = await signIn(password, who)
  const again = totp(new URL(totpURI).searchParams.get('secret')!)
  const opened = await auth('/two-factor/verify-totp', { code: again }, cookie)
  expect([opened.status, await opened.text()]).toEqual([200, expect.any(String)])
})

test.each([
  ['an unknown command', ['destroy'], /npm run admin -- <command>/],
  ['an unknown option', ['create', '--e-mail', 'a@b.test'], /--e-mail/],
  ['no name', ['create', '--email', 'a@b.test'], /--name is missing/],
  ['no address', ['create', '--email', 'nobody', '--name', 'x'], /not an e-mail address/],
  [
    'a weak password',
    ['create', '--email', 'a@b.test', '--name', 'x', '--password-stdin'],
    /at least 12 characters/,
  ],
  ['nobody', ['block', '--email', 'nobody@people.test'], /Nobody has an account/],
])('%s is refused with what to do', async (_name, args, message) => {
  const { code, output } = await admin(args, 'short\n')
  expect(code).toBe(1)
  expect(output).toMatch(message)
})

test('without DATABASE_URL it finds the running npm start by its data directory', async () => {
  const dataDir = mkdtempSync(join(directory, 'data '))
  const env = { DATABASE_URL: '', POSTEL_DATA_DIR: dataDir }
  const none = await admin(['list'], '', env)
  expect(none).toEqual({ code: 1, output: expect.stringContaining('run npm start first') })
  writeFileSync(join(dataDir, 'state.json'), JSON.stringify({ databaseUrl: database.url }))
  expect((await admin(['list'], '', env)).code).toBe(0)
})
