/** The schedule: releases what is due, sweeps for what was missed, keeps partitions and retention. */
import { createLogger } from '@postel/runtime/logger'
import { runService } from '@postel/runtime/run-service'
import { readConfig } from './config.ts'
import { WorkerService } from './service.ts'

runService({
  create: () => {
    const config = readConfig(process.env)
    const log = createLogger('worker', config.LOG_LEVEL)
    return { service: new WorkerService(config, log), log }
  },
})
