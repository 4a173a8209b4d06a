/**
 * Postgres's arrays for postgres.js. By itself it learns them with a query on each new connection, and when the connection
 * breaks during that one, the rejection is nobody's to handle and ends the process. The numbers of the types are fixed
 * (pg_type.dat), so they can as well be written down.
 */
import type postgres from 'postgres'

type Type = postgres.PostgresType

/** Array types by name, each with the numbers of the array types that read and write alike. */
const oids = {
  texts: [1009, 1015, 1002, 1003, 2951, 1041, 651, 1016, 1231, 1187, 1028, 2210, 2211],
  numbers: [1005, 1007, 1021, 1022],
  booleans: [1000],
  dates: [1115, 1182, 1185],
  bytes: [1001],
  jsons: [199, 3807],
}

/** What `types` of postgres.js's options takes. */
export const arrayTypes: Record<keyof typeof oids, Type> = {
  texts: arrayType(oids.texts, (text) => text),
  numbers: arrayType(oids.numbers, Number),
  booleans: arrayType(oids.booleans, (text) => text === 't'),
  dates: arrayType(oids.dates, (text) => new Date(text)),
  bytes: arrayType(oids.bytes, (text) => Buffer.from(text.slice(2), 'hex')),
  jsons: arrayType(oids.jsons, JSON.parse),
}

function arrayType(from: number[], element: (text: string) => unknown): Type {
  return {
    to: from[0]!,
    from,
    serialize: (value: unknown) => (Array.isArray(value) ? arrayText(value) : String(value)),
    parse: (text: string) => parseArray(text, element),
  }
}

/** An array, of arrays too, as Postgres reads it; null stays null. */
function arrayText(values: readonly unknown[]): string {
  const items = values.map((value) => {
    if (value === null || value === undefined) return 'null'
    if (Array.isArray(value)) return arrayText(value)
    return `"${elementText(value).replace(/["\\]/g, '\\$&')}"`
  })
  return `{${items.join(',')}}`
}

function elementText(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Reads what Postgres writes: `{1,NULL,"a \"b\"",{…}}`, with or without bounds before it. */
function parseArray(text: string, element: (text: string) => unknown): unknown[] {
  const token = /\s*(?:([{},])|"((?:[^"\\]|\\.)*)"|([^{},"]+))/suy
  token.lastIndex = text.indexOf('{')
  const stack: unknown[][] = []
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [, mark, quoted, bare] = match
    if (mark === '{') stack.push([])
    else if (quoted !== undefined) stack.at(-1)!.push(element(quoted.replace(/\\(.)/gsu, '$1')))
    else if (bare !== undefined) stack.at(-1)!.push(bare === 'NULL' ? null : element(bare))
    else if (mark === '}') {
      const done = stack.pop()!
      if (stack.length === 0) return done
      stack.at(-1)!.push(done)
    }
  }
  throw new Error('not an array of Postgres')
}
