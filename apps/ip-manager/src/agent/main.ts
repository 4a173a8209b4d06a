/** The interface agent of a node: puts the source IPs that are assigned to the node on its interface, and takes them off again. */
import { createLogger } from '@postel/runtime/logger'
import { runService } from '@postel/runtime/run-service'
import { readConfig } from './config.ts'
import { AgentService } from './service.ts'

runService({
  create: () => {
    const config = readConfig(process.env)
    const log = createLogger('ip-agent', config.LOG_LEVEL)
    return { service: new AgentService(config, log), log }
  },
})
