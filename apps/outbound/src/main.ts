/** The sender: takes the mail of the IPs that this node holds and delivers it. */
import { createLogger } from '@postel/runtime/logger'
import { runService } from '@postel/runtime/run-service'
import { readConfig } from './config.ts'
import { OutboundService } from './service.ts'

runService({
  create: () => {
    const config = readConfig(process.env)
    const log = createLogger('outbound', config.LOG_LEVEL)
    return { service: new OutboundService(config, log), log }
  },
})
