/** The API server: REST in, Postgres out. */
import { createLogger } from '@postel/runtime/logger'
import { runService } from '@postel/runtime/run-service'
import { readConfig } from './config.ts'
// Takes a second to load: now, rather than while the first person waits for it
import './people/auth.ts'
import { ApiService } from './service.ts'

runService({
  create: () => {
    const config = readConfig(process.env)
    const log = createLogger('api', config.LOG_LEVEL)
    return { service: new ApiService(config, log), log }
  },
})
