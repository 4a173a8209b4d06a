/** Requests by chance, right and wrong, from our own OpenAPI document: no 5xx, and every reply as the document says. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { ApiContext } from '@postel/api/context'
import type { Endpoint } from '@postel/api/endpoint'
import { allEndpoints } from '@postel/api/endpoints'
import { problemReply } from '@postel/api/shapes'
import { makeRandom, type Random } from '../ledger/random.ts'
import {
  type Components,
  Generator,
  hostileBodies,
  hostileStrings,
  hostileTypes,
  pick,
  type Schema,
  toJson,
} from './generate.ts'
import { type Sample, samples } from './samples.ts'
import { startWorld, unique, type World } from './world.ts'

const requests = process.env.POSTEL_SOAK ? 10_000 : 400
const parallel = 4
const answerMs = 60_000

type Operation = {
  operationId: string
  parameters?: { name: string; in: string; schema: Schema }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { content?: Record<string, unknown> }>
}
type Document = { paths: Record<string, Record<string, Operation>>; components: Components }
type Made = { method: string; url: string; headers: Record<string, string>; body?: string | Buffer }

const endpoints = new Map<string, Endpoint>(allEndpoints({} as ApiContext).map((each) => [each.id, each]))

let world: World
let document: Document
let operations: { method: string; path: string; operation: Operation }[]

beforeAll(async () => {
  world = await startWorld()
  document = await world.make('GET', '/openapi.json')
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
})
afterAll(() => world.stop())

/** Right ones are made anew from time to time, because requests use them up. */
const known = new Map<string, Sample>()

async function sampleOf(random: Random, id: string): Promise<Sample> {
  const renew = random.next() < 0.2
  if (renew || !known.has(id))
    try {
      known.set(id, (await samples[id]?.(world)) ?? {})
    } catch (error) {
      // A tenant may have only so many of some things
      if (!known.has(id)) throw error
    }
  return known.get(id)!
}

async function make(random: Random, { method, path, operation }: (typeof operations)[number]): Promise<Made> {
  const endpoint = endpoints.get(operation.operationId)!
  const generator = new Generator(random, document.components, random.next() < 0.4 ? 0 : 0.1)
  const sample = await sampleOf(random, operation.operationId)
  const ofKind = (kind: string) => (operation.parameters ?? []).filter((each) => each.in === kind)

  const odd = random.next() < 0.25
  const pathname = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encoded((odd ? textOf(generator.hostile()) : '') || sample.params?.[name] || 'x'),
  )
  const query = ofKind('query')
    .filter(() => random.next() < 0.4)
    .flatMap(({ name, schema }) => {
      const values = random.next() < 0.05 ? [1, 2] : [1]
      return values.map(() => `${name}=${encoded(textOf(generator.value(schema)))}`)
    })
  if (random.next() < 0.05) query.push(`a[__proto__]=${encoded(pick(random, hostileStrings))}`)

  const headers: Record<string, string> = { authorization: `Bearer ${keyFor(random, endpoint, sample)}` }
  for (const { name, schema } of ofKind('header'))
    if (random.next() < 0.3) {
      const value = textOf(generator.value(schema))
        .replace(/[^\x20-\x7e]/g, '')
        .trim()
      headers[name] = name.toLowerCase() === 'idempotency-key' && random.next() < 0.7 ? unique('key') : value
    }
  if (random.next() < 0.03) headers['postel-project'] = 'constructor'

  const made: Made = {
    method: method.toUpperCase(),
    url: pathname + (query.length > 0 ? `?${query.join('&')}` : ''),
    headers,
  }
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? []
  if (type !== undefined) {
    headers['content-type'] = random.next() < 0.04 ? pick(random, hostileTypes) : type
    made.body = bodyFor(random, generator, sample, content!.schema)
  }
  return made
}

function bodyFor(random: Random, generator: Generator, sample: Sample, schema: Schema): string | Buffer {
  const kind = random.next()
  if (kind < 0.06) return pick(random, hostileBodies)
  if (typeof sample.body === 'string') return kind < 0.5 ? sample.body : pick(random, hostileStrings)
  if (kind < 0.25) return toJson(sample.body ?? {})
  if (kind < 0.6) return toJson(generator.mutate(sample.body ?? {}))
  return toJson(generator.value(schema))
}

function keyFor(random: Random, endpoint: Endpoint, sample: Sample): string {
  const { projectKey, organizationKey, sendingKey } = world.owner
  if (random.next() < 0.08)
    return pick(random, [
      projectKey,
      organizationKey,
      world.operatorKey,
      sendingKey,
      world.other.projectKey,
      'x',
    ])
  return rightKey(endpoint, sample)
}

function rightKey({ access }: Endpoint, { by }: Sample): string {
  const { projectKey, organizationKey } = world.owner
  const keys = { project: projectKey, organization: organizationKey, operator: world.operatorKey }
  if (by) return keys[by]
  if (access === 'operate') return keys.operator
  return access === 'administer' ? keys.organization : keys.project
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : toJson(value)
}

/** As a path or query can carry it; half of a surrogate pair cannot be. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('.', '%2e')
}

/** The status of the answer, and what is wrong with it; undefined: nothing. */
async function answerTo(
  { method, url, headers, body }: Made,
  operation: Operation,
): Promise<{ status: number; problem: string | undefined }> {
  try {
    const response = await fetch(world.api.url + url, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(answerMs),
      ...(body !== undefined && { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    })
    return { status: response.status, problem: problemWith(response, await response.text(), operation) }
  } catch (error) {
    return { status: 0, problem: `no answer: ${(error as Error).message}` }
  }
}

function problemWith(
  { status, ok, headers }: Response,
  text: string,
  { responses, operationId }: Operation,
): string | undefined {
  if (status >= 500) return `${status} ${text}`
  const described = responses[String(status)]
  if (!described) return `${status} is not documented: ${text.slice(0, 200)}`
  const type = headers.get('content-type')?.split(';')[0] ?? ''
  if (text !== '' && described.content?.[type] === undefined) return `${status} is not described as ${type}`
  if (type !== 'application/json') return undefined
  const reply: unknown = JSON.parse(text)
  const checked = (ok ? endpoints.get(operationId)!.reply : problemReply).safeParse(reply)
  if (!checked.success) return `${status} outside its schema: ${checked.error.message}`
  // The schema has dropped what it does not know
  if (!sameFields(checked.data, reply)) return `${status} with fields that are not in its schema: ${text}`
  return undefined
}

function sameFields(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b)
    return true
  } catch {
    return false
  }
}

function shown({ method, url, headers, body }: Made): string {
  const { authorization: _, ...rest } = headers
  return `${method} ${url.slice(0, 300)} ${JSON.stringify(rest)} ${String(body ?? '').slice(0, 600)}`
}

/** The fields of an operation's JSON body, in whichever of its shapes. */
function fieldsOf({ requestBody }: Operation): string[] {
  const fields = new Set<string>()
  const look = (schema: Schema | undefined): void => {
    if (!schema) return
    look(document.components.schemas?.[schema.$ref?.split('/').at(-1) ?? ''])
    for (const each of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]) look(each)
    for (const name of Object.keys(schema.properties ?? {})) fields.add(name)
  }
  look(requestBody?.content['application/json']?.schema)
  return [...fields]
}

test('a text that the database cannot hold gets no 5xx in any field of any body', async () => {
  const problems: string[] = []
  let asked = 0
  for (const { method, path, operation } of operations) {
    const sample = (await samples[operation.operationId]?.(world)) ?? {}
    const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encoded(sample.params?.[name] ?? 'x'))
    const headers = {
      authorization: `Bearer ${rightKey(endpoints.get(operation.operationId)!, sample)}`,
      'content-type': 'application/json',
    }
    for (const field of fieldsOf(operation))
      for (const text of ['x\ud800', 'x\0']) {
        const body = toJson({ ...(sample.body as object | undefined), [field]: text })
        const made = { method: method.toUpperCase(), url, headers, body }
        const { problem } = await answerTo(made, operation)
        if (problem !== undefined) problems.push(`${shown(made)}\n  ${problem}`)
        asked++
      }
  }
  expect(problems).toEqual([])
  expect(asked).toBeGreaterThan(200)
})

test(`${requests} requests by chance get no 5xx, and no reply that is not documented`, async () => {
  const random = makeRandom('api fuzz')
  const problems: string[] = []
  let served = 0
  let at = 0
  // Made one after the other, so that they follow from the seed alone
  const queue: { made: Made; operation: Operation }[] = []
  const next = async () => {
    const chosen = pick(random, operations)
    return { made: await make(random, chosen), operation: chosen.operation }
  }
  while (at < requests) {
    queue.length = 0
    while (queue.length < parallel && at < requests) {
      queue.push(await next())
      at++
    }
    await Promise.all(
      queue.map(async ({ made, operation }) => {
        const { status, problem } = await answerTo(made, operation)
        if (status < 400) served++
        if (problem !== undefined) problems.push(`${shown(made)}\n  ${problem}`)
      }),
    )
  }
  process.stderr.write(`api fuzz: ${served} of ${requests} were served\n`)
  expect(problems).toEqual([])
  // Were all refused at the door, nothing would have been tried
  expect(served / requests).toBeGreaterThan(0.2)
  //
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
}, 1_800_000)
