/** Texts that the database can hold: Postgres' have no NUL, and UTF-8 has no half of a surrogate pair. */
import { Problem } from './problem.ts'

/** Throws a Problem that names the field of these in which such a text is, however deep. What is a text itself is left alone. */
export function refuseUnstorable(fields: unknown): void {
  const left: [name: string, value: unknown][] =
    isNest(fields) || Array.isArray(fields) ? Object.entries(fields) : []
  for (let next = left.pop(); next; next = left.pop()) {
    const [name, value] = next
    if (!isStorable(name) || (typeof value === 'string' && !isStorable(value)))
      throw new Problem(
        'validation_error',
        `The \`${name.toWellFormed().replaceAll('\0', '').slice(0, 100)}\` has characters that cannot be used.`,
      )
    if (Array.isArray(value)) for (const each of value) left.push([name, each])
    else if (isNest(value)) for (const field of Object.entries(value)) left.push(field)
  }
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** Not a Buffer, nor what else a schema may have made of a value. */
function isNest(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value))
  )
}
