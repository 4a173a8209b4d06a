/** `npm run psql`: psql on the running standalone's database, or a small stand-in for `-c` where psql is not installed. */
import { readPsqlConfig } from './config.ts'
import { psql } from './psql-command.ts'

psql(process.argv.slice(2), () => readPsqlConfig(process.env)).then(
  (exitCode) => process.exit(exitCode),
  (error) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
