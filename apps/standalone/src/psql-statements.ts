/** Runs SQL as `psql -c` does, for machines without psql. */
import type { Writable } from 'node:stream'
import postgres from 'postgres'
import { type Column, formatTable } from './table.ts'

/** A result as postgres.js gives it with `.raw()`. */
type RawResult = readonly (readonly (Buffer | null)[])[] & {
  command: string | null
  count: number | null
  columns?: readonly { name: string; type: number }[]
}

const tagsWithoutCount = /^(?!INSERT|UPDATE|DELETE|MERGE|SELECT|MOVE|FETCH|COPY)/
const numericTypes = new Set([20, 21, 23, 26, 700, 701, 790, 1700])

/**
 * Runs the statements in turn, each text in one transaction, and writes what psql would: tables and command tags to `out`, notices and
 * errors to `err`. Stops at the first error. Resolves with the exit code.
 */
export async function runStatements(
  url: string,
  statements: readonly string[],
  out: Writable,
  err: Writable,
): Promise<number> {
  const sql = postgres(url, {
    max: 1,
    connect_timeout: 10,
    fetch_types: false,
    connection: { application_name: 'postel-psql' },
    onnotice: (notice) => err.write(describe(notice)),
  })
  try {
    for (const statement of statements) {
      if (statement.trim().startsWith('\\')) {
        err.write(`${statement}: commands with a backslash need psql, which is not installed.\n`)
        return 1
      }
      for (const result of resultsOf(await sql.unsafe(statement).raw())) out.write(formatResult(result))
    }
    return 0
  } catch (error) {
    err.write(describe(error as Record<string, unknown>))
    return 1
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** Text with several statements gives an array of results, a single one its result, which is an array too. */
function resultsOf(answer: unknown): RawResult[] {
  const results = answer as RawResult | RawResult[]
  return 'command' in results && results.command !== undefined
    ? [results as RawResult]
    : (results as RawResult[])
}

function formatResult(result: RawResult): string {
  const { command, count, columns } = result
  if (columns && columns.length > 0) {
    const heads: Column[] = columns.map(({ name, type }) => ({ name, alignRight: numericTypes.has(type) }))
    return formatTable(
      heads,
      result.map((row) => row.map((value) => value?.toString('utf8') ?? '')),
    )
  }
  if (!command) return ''
  if (tagsWithoutCount.test(command)) return `${command}\n`
  return command === 'INSERT' ? `INSERT 0 ${count ?? 0}\n` : `${command} ${count ?? 0}\n`
}

/** `ERROR:  message`, and DETAIL and HINT where there are any, as psql has it. Faults of the connection have a message only. */
function describe(problem: Record<string, unknown>): string {
  const { severity, message, detail, hint } = problem
  const lines = [`${severity ?? 'ERROR'}:  ${message}`]
  if (detail) lines.push(`DETAIL:  ${detail}`)
  if (hint) lines.push(`HINT:  ${hint}`)
  return `${lines.join('\n')}\n`
}
