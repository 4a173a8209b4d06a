/** What takes messages in, the same by SMTP and REST: limits → group commit → hints to those who send, and when to release. */
import type { Tracing } from '@postel/runtime/tracing'
import { Admission } from './admission.ts'
import { Publisher } from './bus/publisher.ts'
import type { Sql } from './client.ts'
import { RetrySchedule } from './queries/retry-schedule.ts'
import { Submitter } from './submitter.ts'

export type IntakeOptions = {
  url: string
  sql: Sql
  app: 'inbound' | 'api'
  /** Where traces are taken. */
  tracing: () => Tracing | undefined
  /** A notification or a release was not asked for; polls and the sweep find the mail. */
  onHintLost: (error: unknown) => void
  /** See AdmissionOptions. */
  onLimitsFailed: (error: unknown) => void
}

export class Intake {
  readonly publisher: Publisher
  readonly submitter: Submitter
  readonly #admission: Admission

  constructor({ url, sql, app, tracing, onHintLost, onLimitsFailed }: IntakeOptions) {
    const name = `postel-${app}`
    this.publisher = new Publisher(url, `${name}-notify`, onHintLost)
    const schedule = new RetrySchedule(sql, onHintLost)
    this.#admission = new Admission({ sql, name: app, onError: onLimitsFailed })
    this.submitter = new Submitter({
      url,
      name,
      admission: this.#admission,
      tracing,
      onStored: (ipIds, due) => {
        this.publisher.work(ipIds)
        if (due.length > 0) void schedule.add(due)
      },
    })
  }

  /** What was begun is stored and hinted at first. */
  async stop(): Promise<void> {
    await this.submitter.stop()
    await this.#admission.stop()
    await this.publisher.stop()
  }
}
