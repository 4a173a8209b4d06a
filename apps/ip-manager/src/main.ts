/** The IP manager: keeps true which node has which source IP. One process works, the others stand by. */
import { createLogger } from '@postel/runtime/logger'
import { runService } from '@postel/runtime/run-service'
import { readConfig } from './config.ts'
import { IpManagerService } from './service.ts'

runService({
  create: () => {
    const config = readConfig(process.env)
    const log = createLogger('ip-manager', config.LOG_LEVEL)
    return { service: new IpManagerService(config, log), log }
  },
})
