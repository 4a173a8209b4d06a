/** `npm start`: an embedded Postgres, every app as a child process, and a sandbox for what they send. */
import { readConfig } from './config.ts'
import { run } from './run.ts'
import { StandaloneService } from './service.ts'
import { Terminal } from './terminal.ts'

run(() => {
  const config = readConfig(process.env)
  const terminal = new Terminal(config.POSTEL_DATA_DIR)
  return { service: new StandaloneService(config, terminal), terminal }
})
