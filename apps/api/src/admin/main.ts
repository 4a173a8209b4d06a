/** The entry of `npm run admin`: on the database of DATABASE_URL, or without one on that of the running `npm start`. */
import { createInterface } from 'node:readline'
import { connect } from '@postel/db/client'
import { readAdminConfig } from '../config.ts'
import { runAdmin, usage } from './command.ts'
import { standaloneDatabase } from './standalone-database.ts'

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line
  return ''
}

async function main(args: string[]): Promise<void> {
  if (args.length === 0 || ['help', '--help', '-h'].includes(args[0]!)) return console.log(usage)
  // biome-ignore lint/style/noProcessEnv: an entry point, where the environment enters
  const config = readAdminConfig(process.env)
  const url = config.DATABASE_URL ?? standaloneDatabase(config.POSTEL_DATA_DIR)
  const sql = connect(url, { name: 'postel-admin', max: 1 })
  try {
    console.log(await runAdmin(sql, args, firstLine))
  } finally {
    await sql.end({ timeout: 5 })
  }
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
