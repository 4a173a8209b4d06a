/** Each method of the resend package is either offered, at a path that we have, or answered 404 in Resend's words. */
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { ApiContext } from '@postel/api/context'
import { allEndpoints } from '@postel/api/endpoints'
import { Resend } from 'resend'
import { internalMethods, sdkMethods } from './sdk-methods.ts'
import { ask, startWorld, type World } from './world.ts'

type Method = (...args: unknown[]) => Promise<{ error: { name: string; statusCode: number | null } | null }>
type Call = { method: string; path: string }

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.stop())

const endpoints = allEndpoints({} as ApiContext)

/** The methods of an SDK by their names, like `webhooks.events.list`. */
function methodsOf(sdk: object): Map<string, Method> {
  const found = new Map<string, Method>()
  const seen = new Set<object>()
  const walk = (part: object, prefix: string) => {
    seen.add(part)
    for (
      let proto = Object.getPrototypeOf(part);
      proto !== Object.prototype;
      proto = Object.getPrototypeOf(proto)
    )
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(proto)))
        if (name !== 'constructor' && typeof value === 'function')
          found.set(prefix + name, (part as Record<string, Method>)[name]!.bind(part))
    for (const [name, value] of Object.entries(part))
      if (typeof value === 'object' && value !== null && !seen.has(value) && !(value instanceof Headers))
        walk(value, `${prefix}${name}.`)
  }
  walk(sdk, '')
  for (const name of internalMethods) found.delete(name)
  return found
}

const id = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'
/** Has what any method wants to find. */
const everything = {
  ...Object.fromEntries(
    [
      'id',
      'emailId',
      'audienceId',
      'contactId',
      'segmentId',
      'automationId',
      'runId',
      'inboxId',
      'inbox',
    ].map((name) => [name, id]),
  ),
  ...Object.fromEntries(
    ['threadId', 'draftId', 'labelId', 'eventId', 'webhookId', 'attachmentId', 'domainId'].map((name) => [
      name,
      id,
    ]),
  ),
  ...{ email: 'ann@example.test', emails: ['ann@example.test'], name: 'x', from: 'a@x.test', to: 'b@x.test' },
  ...{
    subject: 's',
    text: 't',
    html: 'h',
    topics: [],
    labels: [],
    steps: [],
    connections: [],
    file: new Blob(['x']),
  },
  ...{ q: 'x', query: 'x', key: 'x', type: 'string', event: 'x', trigger: {}, columnMap: {}, schema: {} },
}
const guesses: unknown[][] = [[everything], [id, everything], [id, id], [id], [{ email: everything.email }]]

/** What a method asks the server for: of the ways to call it, the first that leaves no hole in the path. */
async function callsOf(name: string): Promise<Call[]> {
  for (const args of guesses) {
    const sdk = new Resend('re_x')
    const calls: Call[] = []
    Object.assign(sdk, {
      fetchRequest: async (path: string, { method = 'GET' }: { method?: string } = {}) => {
        calls.push({ method, path: path.split('?')[0]! })
        return { data: null, error: { name: 'not_found', statusCode: 404, message: 'x' }, headers: null }
      },
    })
    await Promise.resolve(methodsOf(sdk).get(name)!(...args)).catch(() => {})
    if (calls.length > 0 && calls.every(({ path }) => !/undefined|object/i.test(path))) return calls
  }
  return []
}

/** What a call gives for a parameter is an id or an address; any other part stands for itself. */
const pattern = (path: string) => new RegExp(`^${path.replaceAll(/\{\w+\}/g, `(${id}|[^/]+(@|%40)[^/]+)`)}$`)
const isOurs = (call: Call) =>
  endpoints.some(({ method, path }) => method === call.method.toLowerCase() && pattern(path).test(call.path))

const of = (standing: string) => Object.keys(sdkMethods).filter((name) => sdkMethods[name] === standing)

test('the table has every method of the package', () => {
  expect([...methodsOf(new Resend('re_x')).keys()].sort()).toEqual(Object.keys(sdkMethods).sort())
})

test('each method that is offered asks for endpoints that we have', async () => {
  const missing: string[] = []
  for (const name of [...of('offered'), ...of('own shape')]) {
    const calls = await callsOf(name)
    if (calls.length === 0 || !calls.every(isOurs)) missing.push(`${name} ${JSON.stringify(calls)}`)
  }
  expect(missing).toEqual([])
})

test('each method that is not gets 404 not_found with a key, and 401 without one', async () => {
  const wrong: string[] = []
  for (const name of of('not offered')) {
    const calls = await callsOf(name)
    if (calls.length === 0) wrong.push(`${name}: no call`)
    for (const { method, path } of calls) {
      const answers = [world.owner.projectKey, world.owner.sendingKey, undefined].map(async (key) => {
        const { status, text } = await ask(world.api.url, { method, path, ...(key !== undefined && { key }) })
        return `${status} ${JSON.parse(text).name}`
      })
      const got = (await Promise.all(answers)).join(', ')
      if (got !== '404 not_found, 404 not_found, 401 missing_api_key') wrong.push(`${method} ${path}: ${got}`)
    }
  }
  expect(wrong).toEqual([])
})

test('the aliases and the usage work as they are called', async () => {
  const sdk = new Resend(world.owner.projectKey, { baseUrl: world.api.url })
  const email = { from: `a@${world.owner.domain}`, to: 'b@dest.test', subject: 's', text: 't' }
  const errors = [await sdk.emails.create(email), await sdk.batch.create([email]), await sdk.usage.get()].map(
    ({ error }) => error,
  )
  expect(errors).toEqual([null, null, null])
})

test('each method that is offered is called by a test', async () => {
  const folders = ['apps/api/src', 'test/api'].map((path) =>
    fileURLToPath(new URL(`../../${path}`, import.meta.url)),
  )
  const texts: string[] = []
  for (const folder of folders)
    for await (const file of glob('**/*.test.ts', { cwd: folder }))
      texts.push(await readFile(join(folder, file), 'utf8'))
  const code = texts.join('\n')
  expect([...of('offered'), ...of('own shape')].filter((name) => !code.includes(`.${name}(`))).toEqual([])
})

test('the SDK takes that 404 as an error of its own kind', async () => {
  const sdk = new Resend(world.owner.projectKey, { baseUrl: world.api.url })
  const { data, error } = await sdk.segments.create({ name: 'x' })
  expect([data, error?.name, error?.statusCode]).toEqual([null, 'not_found', 404])
})
