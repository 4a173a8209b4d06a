/** Where the database of a running `npm start` is. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The URL that standalone has written into its data directory; throws an Error for the operator when there is none. */
export function standaloneDatabase(dataDir: string): string {
  try {
    const { databaseUrl } = JSON.parse(readFileSync(join(dataDir, 'state.json'), 'utf8')) as {
      databaseUrl?: unknown
    }
    if (typeof databaseUrl === 'string') return databaseUrl
  } catch {
    // No file, or none of ours: the same advice
  }
  throw new Error(`No Postel runs on ${dataDir}. Set DATABASE_URL, or run npm start first.`)
}
