/** POST /suppressions/import: addresses from a CSV file, as this and other services export them. */
import { Readable } from 'node:stream'
import { addSuppressions, type NewSuppression } from '@postel/db/queries/suppressions'
import { suppressionAddress } from '@postel/mail/suppression-address'
import { CsvError, parse } from 'csv-parse'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { Problem } from '../problem.ts'
import { unguardCell } from './csv.ts'
import { importReply } from './replies.ts'
import { projectQuery } from './requests.ts'
import { scopeOf } from './scope.ts'

const maxBytes = 16 * 1024 * 1024
const rowsAtATime = 1_000
const problemsShown = 100
const reasonMax = 1_000
const pieceBytes = 64 * 1024

/** As the exports of mail services head their columns. */
const emailNames = ['email', 'e-mail', 'address', 'email address', 'emailaddress', 'recipient', 'destination']
const reasonNames = ['reason', 'description', 'details', 'error', 'notes']

type Columns = { email: number; reason: number; expiresAt: number }
type Row = { record: string[]; info: { lines: number } }

export const importSuppressions = ({ sql }: ApiContext) =>
  endpoint({
    method: 'post',
    path: '/suppressions/import',
    id: 'importSuppressions',
    tag: 'Suppressions',
    summary: 'Suppress the addresses of a CSV file',
    description:
      'The first line may name the columns (`email`, `reason`, `expires_at`); without such a line the first column has the addresses. Lines without a valid address are left out and told of. Stored a thousand lines at a time; safe to repeat after a fault.',
    access: 'write',
    query: projectQuery,
    body: {
      schema: z.string().meta({ example: 'email,reason\nbob@example.com,asked for it\n' }),
      parse: (body) => String(body),
      type: 'text/csv',
      maxBytes,
    },
    reply: importReply,
    serve: async ({ caller, query, body }) => {
      const scope = await scopeOf(sql, caller, query.project)
      const result = { rows: 0, added: 0, invalid: 0, problems: [] as { line: number; message: string }[] }
      let entries: NewSuppression[] = []
      const store = async () => {
        if (entries.length === 0) return
        result.added += (await addSuppressions(sql, scope, entries, caller.actor, { isImport: true })).added
        entries = []
      }
      for await (const { line, entry } of readEntries(body)) {
        result.rows++
        if (typeof entry === 'string') {
          result.invalid++
          if (result.problems.length < problemsShown) result.problems.push({ line, message: entry })
        } else if (entries.push(entry) === rowsAtATime) await store()
      }
      await store()
      return { object: 'suppression_import', ...result }
    },
  })

/** An entry for each line that has a cell for an address, or what is wrong with it. Throws a Problem for what is no CSV. */
async function* readEntries(text: string): AsyncGenerator<{ line: number; entry: NewSuppression | string }> {
  const parser = parse({
    bom: true,
    info: true,
    trim: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: 20_000,
  })
  let columns: Columns | undefined
  try {
    for await (const { record, info } of Readable.from(pieces(text)).pipe(parser) as AsyncIterable<Row>) {
      if (columns === undefined) {
        columns = columnsOf(record)
        if (columns !== undefined) continue
        columns = { email: 0, reason: -1, expiresAt: -1 }
      }
      const cell = unguardCell(record[columns.email] ?? '')
      if (cell !== '') yield { line: info.lines, entry: toEntry(cell, record, columns) }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw new Problem('validation_error', `The request body is not CSV. ${error.message.slice(0, 200)}`)
  }
}

/** Where a line that names columns has them; undefined for another line. */
function columnsOf(record: readonly string[]): Columns | undefined {
  const names = record.map((name) => name.toLowerCase().replace(/_/g, ' '))
  const find = (known: readonly string[]) => names.findIndex((name) => known.includes(name))
  const email = find(emailNames)
  return email < 0 ? undefined : { email, reason: find(reasonNames), expiresAt: find(['expires at']) }
}

function toEntry(cell: string, record: readonly string[], columns: Columns): NewSuppression | string {
  const address = suppressionAddress(cell)
  if (typeof address !== 'string') return address.problem
  const reason = unguardCell(record[columns.reason] ?? '').slice(0, reasonMax)
  if (reason.includes('\0')) return 'The reason has a NUL character: remove it.'
  const expiresText = record[columns.expiresAt] ?? ''
  const expiresAt = expiresText === '' ? null : readTime(expiresText)
  if (expiresAt === undefined)
    return 'The expires_at is not a time to come with a time zone, like 2026-11-30T08:00:00Z.'
  return { address, origin: 'import', reason: reason === '' ? null : reason.toWellFormed(), expiresAt }
}

/** ISO 8601 with a time zone, as it comes or as the export writes it; undefined for anything else and what is past. */
function readTime(text: string): string | undefined {
  const iso = text
    .replace(' ', 'T')
    .replace(/(\.\d{3})\d+/, '$1')
    .replace(/\+00$/, 'Z')
  if (!z.iso.datetime({ offset: true }).safeParse(iso).success) return undefined
  const at = new Date(iso)
  return at.getTime() > Date.now() ? at.toISOString() : undefined
}

/** In pieces, so that a large file does not keep the process from its other work. */
function* pieces(text: string): Generator<Buffer> {
  const bytes = Buffer.from(text)
  for (let start = 0; start < bytes.length; start += pieceBytes)
    yield bytes.subarray(start, start + pieceBytes)
}
