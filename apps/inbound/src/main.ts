/** The submission server: SMTP in, Postgres out. */
import { createLogger } from '@postel/runtime/logger'
import { runService } from '@postel/runtime/run-service'
import { readConfig } from './config.ts'
import { InboundService } from './service.ts'

runService({
  create: () => {
    const config = readConfig(process.env)
    const log = createLogger('inbound', config.LOG_LEVEL)
    return { service: new InboundService(config, log), log }
  },
})
