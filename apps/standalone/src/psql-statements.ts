/** Runs SQL as `psql -c` does, for machines without psql. */
import type { Writable } from 'node:stream'
import pg from 'pg'
import { formatTable } from './table.ts'

const counted = new Set(['UPDATE', 'DELETE', 'MERGE', 'SELECT', 'COPY'])
const numericTypes = new Set([20, 21, 23, 26, 700, 701, 790, 1700])
/** Values as the server writes them. */
const asText = { getTypeParser: () => (value: string) => value }

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
  const client = new pg.Client({
    connectionString: url,
    application_name: 'postel-psql',
    connectionTimeoutMillis: 10_000,
  })
  client.on('notice', (notice) => err.write(describe(notice)))
  // A lost connection is told by the query that it breaks
  client.on('error', () => {})
  try {
    await client.connect()
    for (const text of statements) {
      if (text.trim().startsWith('\\')) {
        err.write(`${text}: commands with a backslash need psql, which is not installed.\n`)
        return 1
      }
      const answer = await client.query<string[]>({ text, rowMode: 'array', types: asText })
      // A text with several statements gives an array
      for (const result of [answer].flat()) out.write(formatResult(result))
    }
    return 0
  } catch (error) {
    err.write(describe(error as Problem))
    return 1
  } finally {
    await client.end()
  }
}

function formatResult({ command, rowCount, fields, rows }: pg.QueryArrayResult<(string | null)[]>): string {
  if (fields.length > 0)
    return formatTable(
      fields.map(({ name, dataTypeID }) => ({ name, alignRight: numericTypes.has(dataTypeID) })),
      rows.map((row) => row.map((value) => value ?? '')),
    )
  if (!command) return ''
  if (command === 'INSERT') return `INSERT 0 ${rowCount ?? 0}\n`
  return counted.has(command) ? `${command} ${rowCount ?? 0}\n` : `${command}\n`
}

type Problem = { [field in 'severity' | 'message' | 'detail' | 'hint']?: string | undefined }

/** `ERROR:  message`, and DETAIL and HINT where there are any, as psql has it. Faults of the connection have a message only. */
function describe(problem: Problem): string {
  const { severity = 'ERROR', message, detail, hint } = problem
  const lines = [`${severity}:  ${message}`]
  if (detail) lines.push(`DETAIL:  ${detail}`)
  if (hint) lines.push(`HINT:  ${hint}`)
  return `${lines.join('\n')}\n`
}
