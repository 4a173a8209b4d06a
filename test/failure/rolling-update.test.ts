/** A new version takes the place of the old one, process by process, under load: as Deployments and the DaemonSet do it. */

import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import type { AppProcess } from '../ledger/app-process.ts'
import { Balancer } from '../ledger/balancer.ts'
import { Harness, kept } from '../ledger/harness.ts'
import { rounds } from '../ledger/random.ts'
import { sendByRest } from '../ledger/rest-client.ts'
import { ownPort } from '../support/ports.ts'
import { waitFor } from '../support/wait-for.ts'

let harness: Harness
let smtp: Balancer
let rest: Balancer
let api: AppProcess

beforeAll(async () => {
  harness = await Harness.start('rolling update')
  api = harness.makeApp('api')
  await api.start()
  smtp = await Balancer.start(harness.port)
  rest = await Balancer.start(harness.apiPort)
})
afterEach(() => harness.stopLoads())
afterAll(async () => {
  smtp?.stop()
  rest?.stop()
  await harness.stop()
})

const inOrder = { code: 0, signal: null }

test(
  'no 5xx, nothing is lost, and nothing comes twice (C-38)',
  async () => {
    const load = harness.load({ port: smtp.port })
    const statuses = new Set<number>()
    let sending = true
    const answered = [0, 0]
    const byRest = answered.map(async (_, client) => {
      while (sending) {
        statuses.add(
          await sendByRest(`rest-${client}-${answered[client]}@d0.test`, {
            port: rest.port,
            key: harness.apiKey,
            ledger: harness.ledger,
          }),
        )
        answered[client]!++
      }
    })
    await harness.flows()

    let { inbound, worker, outbound } = harness
    for (let round = 0; round < rounds; round++) {
      // Deployments: the new one is ready, the old one gets no new connections, and then SIGTERM
      const [smtpPort, submissionsPort, apiPort] = [await ownPort(), await ownPort(), await ownPort()]
      const next = {
        inbound: harness.makeApp('inbound', `inbound-${round}`, {
          SMTP_SUBMISSION_PORT: `${smtpPort}`,
          SMTP_SUBMISSIONS_PORT: `${submissionsPort}`,
        }),
        api: harness.makeApp('api', `api-${round}`, { API_PORT: `${apiPort}` }),
        worker: harness.makeApp('worker', `worker-${round}`),
        outbound: harness.makeApp('outbound', `outbound-${round}`),
      }
      await Promise.all([next.inbound.start(), next.api.start(), next.worker.start()])
      smtp.use(smtpPort)
      rest.use(apiPort)
      // What preStop waits for: a connection that nobody has accepted yet ends with the listener
      const before = [...answered]
      await waitFor(() => answered.every((count, client) => count > before[client]!))
      const ends = await Promise.all([inbound, api, worker].map((app) => app.end('SIGTERM')))
      expect(ends).toEqual([inOrder, inOrder, inOrder])
      await harness.flows()
      // The DaemonSet: one ends, then the next one begins
      expect(await outbound.end('SIGTERM')).toEqual(inOrder)
      await next.outbound.start()
      await harness.flows()
      ;({ inbound, worker, outbound } = next)
      api = next.api
    }
    await load.stop()
    sending = false
    await Promise.all(byRest)
    await harness.drain()
    expect([...statuses]).toEqual([200])
    // A session that is open gets 421 between two messages, and its client opens another
    expect([...harness.ledger.refusals.keys()].filter((reply) => !reply.endsWith(' 421'))).toEqual([])
    expect(await harness.judge()).toEqual(kept)
  },
  300_000 * rounds,
)
