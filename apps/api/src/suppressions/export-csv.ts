/** GET /suppressions.csv: the whole list as a file. */
import { once } from 'node:events'
import { listSuppressions, type Suppression } from '@postel/db/queries/suppressions'
import { stringify } from 'csv-stringify/sync'
import { z } from 'zod'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import { guardCell } from './csv.ts'
import { filterQuery } from './requests.ts'
import { scopeOf } from './scope.ts'

const rowsAtATime = 5_000
const header = ['email', 'origin', 'reason', 'created_at', 'expires_at', 'project_id', 'source_id', 'id']

export const exportSuppressions = ({ sql }: ApiContext) =>
  endpoint({
    method: 'get',
    path: '/suppressions.csv',
    id: 'exportSuppressions',
    tag: 'Suppressions',
    summary: 'Download the suppression list as CSV, newest first',
    description:
      'Cells that a spreadsheet would run as a formula begin with an apostrophe; `POST /suppressions/import` takes it off again.',
    access: 'read',
    query: filterQuery,
    reply: z.string(),
    replyType: 'text/csv',
    serve: async ({ caller, query, response }) => {
      const scope = await scopeOf(sql, caller, query.project)
      let page = await listSuppressions(sql, scope, query, { limit: rowsAtATime })
      response.type('text/csv').attachment('suppressions.csv')
      response.write(stringify([header]))
      // Page by page, each once the client has taken the one before: no connection is held for a slow one
      for (;;) {
        const fits = page.rows.length === 0 || response.write(toCsv(page.rows))
        if (!page.hasMore) break
        // Who went away while the page was looked up will never drain
        if (!fits && !response.destroyed)
          await Promise.race([once(response, 'drain'), once(response, 'close')])
        if (response.destroyed) return undefined
        page = await listSuppressions(sql, scope, query, { limit: rowsAtATime, after: page.rows.at(-1)!.id })
      }
      response.end()
      return undefined
    },
  })

function toCsv(rows: readonly Suppression[]): string {
  return stringify(
    rows.map((row) =>
      [
        row.email,
        row.origin,
        row.reason ?? '',
        row.createdAt,
        row.expiresAt ?? '',
        row.projectId ?? '',
        row.sourceId ?? '',
        row.id,
      ].map(guardCell),
    ),
  )
}
