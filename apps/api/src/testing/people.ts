/** People of a test, and a browser as far as cookies and Origin go. */
import { randomBytes } from 'node:crypto'
import { hashPassword } from '../people/passwords.ts'
import type { Reply, TestApi } from './start-api.ts'

export const testOrigin = 'http://localhost:3000'
export const goodPassword = 'violet harbour 73 staircase'

/** Made once: a hash takes long, as it should. */
let goodHash: Promise<string> | undefined

export type TestPerson = { id: string; email: string; password: string }

export type PersonOptions = {
  email?: string
  password?: string
  platformAdmin?: boolean
  verified?: boolean
  /** Roles by organization. */
  roles?: Record<string, string>
}

/** Somebody with a password, as if everything before had been done. */
export async function makePerson({ sql }: TestApi, options: PersonOptions = {}): Promise<TestPerson> {
  const { platformAdmin = false, verified = true, roles = {}, password = goodPassword } = options
  const email = options.email ?? `p-${randomBytes(5).toString('hex')}@people.test`
  goodHash ??= hashPassword(goodPassword)
  const hash = password === goodPassword ? await goodHash : await hashPassword(password)
  const [row] = await sql<{ id: string }[]>`
    with u as (
      insert into postel.users (name, email, email_verified, platform_admin)
      values ('Ann Example', ${email}, ${verified}, ${platformAdmin})
      returning id
    ), a as (
      insert into postel.accounts (user_id, account_id, provider_id, password)
      select id, id::text, 'credential', ${hash} from u
    )
    select id from u`
  for (const [organizationId, role] of Object.entries(roles))
    await sql`
      insert into postel.members (organization_id, user_id, role) values (${organizationId}, ${row!.id}, ${role})`
  return { id: row!.id, email, password }
}

/** Keeps cookies, and sends the Origin of our own pages. */
export class Browser {
  readonly #api: TestApi
  readonly cookies = new Map<string, string>()
  /** The Set-Cookie lines of the last answer. */
  lastCookies: string[] = []

  constructor(api: TestApi) {
    this.#api = api
  }

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  /** A request to /auth, whose replies are better-auth's. */
  async auth(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
    // biome-ignore lint/suspicious/noExplicitAny: looked into by tests
  ): Promise<{ status: number; body: any; headers: Headers }> {
    const response = await fetch(`${this.#api.url}/auth${path}`, {
      method,
      redirect: 'manual',
      headers: {
        origin: testOrigin,
        ...(this.cookies.size > 0 && { cookie: this.cookie }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    this.lastCookies = response.headers.getSetCookie()
    for (const line of this.lastCookies) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
      if (/max-age=0/i.test(line)) this.cookies.delete(name!)
      else this.cookies.set(name!, value!)
    }
    const text = await response.text()
    return {
      status: response.status,
      body: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text,
      headers: response.headers,
    }
  }

  /** A request to the API with the cookies of this browser. */
  call(
    method: string,
    path: string,
    options: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Reply> {
    return this.#api.call(method, path, {
      ...options,
      headers: { origin: testOrigin, cookie: this.cookie, ...options.headers },
    })
  }
}

/** A browser in which the person is signed in. What limits tries is not what these tests are about, so it is reset. */
export async function signIn(api: TestApi, { email, password }: TestPerson): Promise<Browser> {
  await forgetTries(api)
  const browser = new Browser(api)
  const { status, body } = await browser.auth('POST', '/sign-in/email', { email, password })
  if (status !== 200) throw new Error(`sign-in of ${email}: ${status} ${JSON.stringify(body)}`)
  return browser
}

export async function forgetTries({ sql }: TestApi): Promise<void> {
  await sql`delete from postel.auth_rate_limits`
}
