/** Reads the values of a benchmark's flags. */

/** Parsed flags by name, as node:util's parseArgs gives them. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>

/** A command line that makes no sense: the usage is printed and the exit code is 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** A whole number within bounds; throws a UsageError. */
export function count(flags: Flags, name: string, min: number, max: number): number {
  const text = flags[name]
  const value = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max))
    throw new UsageError(`--${name} must be a whole number from ${min} to ${max}`)
  return value
}

/** One of some words; throws a UsageError. */
export function choice<Word extends string>(flags: Flags, name: string, words: readonly Word[]): Word {
  const word = words.find((candidate) => candidate === flags[name])
  if (word === undefined) throw new UsageError(`--${name} must be ${words.join(' or ')}`)
  return word
}
