/** How benchmarks print: figures, a table for people, one line of JSON for programs. */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

/** A figure with as many digits as it deserves: 3,412 / 42.1 / 0.391. */
export function figure(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-'
  const size = Math.abs(value)
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Rounds for JSON: four significant digits, so that noise does not look like precision. */
export function rounded<T>(value: T): T {
  if (typeof value === 'number') return (Number.isInteger(value) ? value : Number(value.toPrecision(4))) as T
  if (Array.isArray(value)) return value.map(rounded) as T
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, rounded(entry)])) as T
  return value
}

/** The middle value, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The value below which that share of the others lie, interpolated as Postgres's percentile_cont does. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const below = sorted[Math.floor(position)] ?? Number.NaN
  const above = sorted[Math.ceil(position)] ?? Number.NaN
  return below + (above - below) * (position - Math.floor(position))
}

/** Prints rows of cells in columns: the first to the left, the others to the right. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    })
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!),
    )
    console.log(`  ${cells.join('   ')}`.trimEnd())
  }
}

/** Where and when a figure was taken: processor, cores, Node, date. */
export function machine(): string {
  const processors = cpus()
  const model = processors[0]?.model.trim() ?? 'unknown processor'
  const date = new Date().toISOString().slice(0, 10)
  return `${model}, ${processors.length} cores, Node ${process.versions.node}, ${date}${revision()}`
}

/** Tells on stderr what is going on, so that stdout keeps to the results. */
export function progress(text: string): void {
  console.error(`· ${text}`)
}

function revision(): string {
  try {
    const output = execFileSync('git', ['describe', '--always', '--dirty'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return `, ${output.trim()}`
  } catch {
    return ''
  }
}
