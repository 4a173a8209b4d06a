/** Requests by chance from an OpenAPI document: values that its schemas describe, and such as they do not. */
import type { Random } from '../ledger/random.ts'

/** JSON Schema as far as the document uses it. */
export type Schema = {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  format?: string
  pattern?: string
  example?: unknown
  examples?: unknown[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
  minimum?: number
  maximum?: number
  additionalProperties?: boolean | Schema
}

export type Components = { schemas?: Record<string, Schema> }

/** A number that JSON can say and JavaScript cannot; toJson writes it. */
const rawNumber = (text: string) => `@@${text}@@`

/** what text fields are attacked with; among them. */
export const hostileStrings = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  'x\udfff',
  '\ufeffx',
  '\ufffe\uffff',
  'a\r\nBcc: eve@evil.test',
  '\u001b[31mred',
  "'; drop table postel.messages; --",
  '%',
  '_%\\',
  '{{7*7}}<%= 7*7 %>#{7*7}',
  '<script>alert(1)</script>',
  '=cmd()|x',
  '../../../etc/passwd',
  '..%2f..%2f',
  '%00',
  'null',
  'undefined',
  'NaN',
  '__proto__',
  'constructor',
  'toString',
  '\u202egnp.exe',
  '\u0645\u0631\u062d\u0628\u0627',
  '👩‍👩‍👧‍👦'.repeat(20),
  'Z̴̢̛͎͖a̸l̷g̶o̵'.repeat(10),
  'ﷺ'.repeat(50),
  'ı İ ß ǅ',
  'x'.repeat(300),
  'a@'.repeat(200),
  '('.repeat(5_000),
  `${'a'.repeat(5_000)}!`,
  'x@example.test',
  '"a b"@x.test',
  'x@xn--a',
  '1e400',
  '-0',
  '0x10',
  '1e3',
  '-1',
  '0',
  '9'.repeat(18),
  '9'.repeat(40),
  '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e',
  '0193500D-7F3A-7D3E-9C7E-1F0A2B3C4D5E',
  '{0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e}',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '275760-09-13T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '0000-01-01T00:00:00Z',
  '2016-12-31T23:59:60Z',
  '2026-02-30T00:00:00Z',
  '-000001-01-01T00:00:00Z',
  '1969-01-01T00:00:00+14:00',
  '2026-11-22T00:00:00',
  'http://169.254.169.254/latest',
  'javascript:alert(1)',
  '::ffff:127.0.0.1',
  '0.0.0.0/0',
  '256.1.1.1',
]

/** */
const hostileNumbers = [
  0,
  -0,
  -1,
  1,
  0.1,
  1e9,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  Number.MAX_VALUE,
  rawNumber('1e400'),
  rawNumber('-1e400'),
  rawNumber('9007199254740993'),
  rawNumber('0.30000000000000004e-5'),
]

/** R-09 and wrong types. */
const hostileValues = [
  null,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  { ['__proto__' as string]: { isAdmin: true } },
  JSON.parse('{"__proto__":{"isAdmin":true}}'),
  JSON.parse('{"constructor":{"prototype":{"isAdmin":true}}}'),
  { toString: 'x', length: -1 },
  { then: 'x', toJSON: 'x' },
]

/** Bodies that are not what they should be, as they go over the wire. */
export const hostileBodies: (string | Buffer)[] = [
  '',
  ' ',
  'null',
  '[]',
  '{}',
  '"x"',
  '0',
  'true',
  '{',
  '{"a":1,}',
  '{"a":1}{"a":2}',
  "{'a':1}",
  '{"a":NaN}',
  '{"a":01}',
  '// x\n{}',
  '\ufeff{}',
  '['.repeat(10_000),
  `${'['.repeat(10_000)}${']'.repeat(10_000)}`,
  `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  '{"__proto__":{"isAdmin":true}}',
  '{"name":"a","name":"b"}',
  Buffer.from('{"a":"x"}', 'utf16le'),
  Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]),
  Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]),
]

export const hostileTypes = [
  'text/plain',
  'application/xml',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'APPLICATION/JSON',
  'application/json, text/plain',
  'application/jsonx',
  'x',
]

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[Math.floor(random.next() * items.length)]!
}

/** JSON with the numbers that JavaScript has not. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replace(/"@@([^"]*)@@"/g, '$1')
}

export class Generator {
  readonly #random: Random
  readonly #components: Components
  /** How often a value is not what the schema says. */
  readonly #wrongness: number

  constructor(random: Random, components: Components, wrongness: number) {
    this.#random = random
    this.#components = components
    this.#wrongness = wrongness
  }

  /** A value for the schema; sometimes, in it or in its place, a wrong one. */
  value(schema: Schema | undefined, depth = 0): unknown {
    if (schema === undefined || this.#chance(this.#wrongness)) return this.hostile()
    const known = this.#resolve(schema)
    if (known.const !== undefined) return known.const
    if (known.enum) return pick(this.#random, known.enum)
    const options = known.anyOf ?? known.oneOf
    if (options) return this.value(pick(this.#random, options), depth + 1)
    if (known.allOf) return Object.assign({}, ...known.allOf.map((each) => this.value(each, depth + 1)))
    if (known.example !== undefined && this.#chance(0.5)) return known.example
    if (known.examples?.length && this.#chance(0.5)) return pick(this.#random, known.examples)
    const type = Array.isArray(known.type) ? pick(this.#random, known.type) : known.type
    switch (type) {
      case 'object':
        return this.#object(known, depth)
      case 'array': {
        const length = this.#chance(0.1) ? 40 : Math.floor(this.#random.between(0, 4))
        return depth > 6 ? [] : Array.from({ length }, () => this.value(known.items, depth + 1))
      }
      case 'integer':
      case 'number':
        return this.#number(known)
      case 'boolean':
        return this.#chance(0.5)
      case 'null':
        return null
      default:
        return this.#string(known)
    }
  }

  hostile(): unknown {
    const kind = this.#random.next()
    if (kind < 0.6) return pick(this.#random, hostileStrings)
    return pick<unknown>(this.#random, kind < 0.8 ? hostileNumbers : hostileValues)
  }

  /** The value with one thing in it changed, left out or added. */
  mutate(value: unknown): unknown {
    if (Array.isArray(value)) {
      if (value.length === 0 || this.#chance(0.2)) return this.#chance(0.5) ? [...value, this.hostile()] : []
      const at = Math.floor(this.#random.next() * value.length)
      return value.map((item, index) => (index === at ? this.mutate(item) : item))
    }
    if (typeof value !== 'object' || value === null) return this.hostile()
    const names = Object.keys(value)
    const name =
      names.length === 0 || this.#chance(0.15)
        ? String(pick(this.#random, hostileStrings))
        : pick(this.#random, names)
    const changed = new Map(Object.entries(value))
    if (this.#chance(0.15)) changed.delete(name)
    else
      changed.set(
        name,
        changed.has(name) && this.#chance(0.5) ? this.mutate(changed.get(name)) : this.hostile(),
      )
    return Object.fromEntries(changed)
  }

  #object(schema: Schema, depth: number): unknown {
    const required = new Set(schema.required)
    const entries = Object.entries(schema.properties ?? {})
      .filter(([name]) => (required.has(name) ? !this.#chance(0.02) : this.#chance(0.3)))
      .map(([name, each]) => [name, depth > 6 ? null : this.value(each, depth + 1)] as const)
    if (this.#chance(0.05)) entries.push([String(pick(this.#random, hostileStrings)), this.hostile()])
    return Object.fromEntries(entries)
  }

  #number({ minimum = -10, maximum = 10, type }: Schema): number {
    const least = Math.max(minimum, -(2 ** 53))
    const most = Math.min(Math.max(maximum, least), 2 ** 53)
    if (this.#chance(0.3)) return this.#chance(0.5) ? least : most
    const value = this.#random.between(least, most)
    return type === 'number' ? value : Math.round(value)
  }

  #string(schema: Schema): string {
    const id = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'
    if (schema.format === 'uuid' || schema.pattern?.includes('0-9a-fA-F]{8}')) return id
    if (schema.format === 'date-time')
      return new Date(Date.now() + this.#random.between(-1e9, 3e9)).toISOString()
    if (schema.format === 'email') return 'ann@example.test'
    return pick(this.#random, ['x', 'Ann', 'example.test', 'ann@dest.test', ...hostileStrings])
  }

  #resolve(schema: Schema): Schema {
    if (schema.$ref === undefined) return schema
    const name = schema.$ref.split('/').at(-1)!
    return this.#resolve(this.#components.schemas?.[name] ?? {})
  }

  #chance(share: number): boolean {
    return this.#random.next() < share
  }
}
