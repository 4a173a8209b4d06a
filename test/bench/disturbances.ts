/** What may get into the way of the others' mail in `fairness`: one project's flood, or an outage's backlog that is due at once. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cleanup } from './cleanup.ts'
import { store } from './fill.ts'
import { type Noise, startNoise } from './noise.ts'
import { countedDomains, type Remotes } from './remotes.ts'
import { percentile, progress } from './report.ts'
import type { StreamPlan } from './stream.ts'
import type { Postel } from './system.ts'

export type System = { cleanup: Cleanup; postel: Postel; remotes: Remotes }

export type Disturbance = {
  /** Makes what it needs, before anything is measured. `aloneSeconds`: how long it may not begin from then on. */
  prepare?(system: System, aloneSeconds: number): Promise<void>
  /** Resolves when it is in full swing. */
  begin(system: System): Promise<void>
  /** Resolves when enough has been seen. */
  last(system: System): Promise<void>
  /** Ends it; figures for the report. */
  end(system: System): Promise<Record<string, number>>
}

/** The one who disturbs, and the address that he submits from. */
export const disturber = { project: 'disturber', client: '127.0.4.100' }

export type FloodOptions = {
  domains: readonly string[]
  perSecond: number
  /** Messages that are there from the beginning. */
  backlog: number
  seconds: number
  settleSeconds: number
}

/** One project's mail to these domains: a backlog, and then so much a second for as long as the others are measured. */
export function flood(options: FloodOptions): Disturbance {
  const { domains, perSecond, backlog, seconds, settleSeconds } = options
  let noise: Noise | undefined
  let before = { at: 0, taken: 0 }
  const taken = async () => ({ at: performance.now(), ...(await noise!.counts()) })
  return {
    begin: async ({ cleanup, postel }) => {
      const plan = floodPlan(postel.port, domains, perSecond)
      noise = startNoise(cleanup, plan)
      if (backlog > 0)
        await store(postel, backlog, {
          domainOf: (index) => domains[index % domains.length]!,
          project: disturber.project,
        })
      await sleep(settleSeconds * 1000)
      before = await taken()
    },
    last: async () => {
      await sleep(seconds * 1000)
    },
    end: async () => {
      const after = await taken()
      const { refused } = await noise!.stop()
      return {
        flood_per_s: ((after.taken - before.taken) * 1000) / (after.at - before.at),
        flood_refused: refused,
      }
    },
  }
}

/** The disturber's mail as a stream. */
export function floodPlan(port: number, domains: readonly string[], perSecond: number): StreamPlan {
  return { port, perSecond, clients: [disturber.client], domains, bytes: 4096, prefix: 'flood' }
}

/**
 * So many deferred messages that all become due at the same moment, seven in ten of them for one domain, the others for
 * thirty more. The others are measured until the last one has left.
 */
export function outage(messages: number): Disturbance {
  let due = 0
  let counted = 0
  let startedAt = 0
  const arrived: { at: number; count: number }[] = []
  return {
    prepare: async ({ postel }, aloneSeconds) => {
      const [big, ...small] = countedDomains
      progress(`filling waiting with ${messages} messages`)
      await store(postel, messages, {
        domainOf: (index) => (index % 10 < 7 ? big! : small[index % small.length]!),
        project: disturber.project,
        sendAt: new Date(Date.now() + 86_400_000),
      })
      const { sql } = postel
      await sql`update postel.deliveries set state = 'deferred', attempts = 1 where state = 'scheduled'`
      await sql`vacuum analyze`
      // The worker looks at the ends of intervals of ten seconds
      due = Math.ceil((Date.now() + (aloneSeconds + 10) * 1000) / 10_000) * 10_000
      const moment = new Date(due).toISOString()
      await sql`update postel.waiting
        set state = 'deferred', attempts = 1, reason = '451 4.3.0 Out of order', not_before = ${moment}::timestamptz`
      await sql`select postel.schedule_release(array[${moment}::timestamptz])`
    },
    begin: async ({ remotes }) => {
      if (Date.now() > due) throw new Error('the mail became due while the others were measured alone')
      await sleep(due - Date.now())
      startedAt = performance.now()
      counted = remotes.counted.count()
    },
    last: async ({ remotes }) => {
      for (let count = 0, grownAt = startedAt; count < messages; ) {
        await sleep(1000)
        const now = performance.now()
        const sum = remotes.counted.count() - counted
        if (sum > count) grownAt = now
        count = sum
        arrived.push({ at: now, count })
        if (now - grownAt > outageStallMs) break
      }
    },
    end: async () => {
      const first = arrived.findIndex(({ count }) => count > 0)
      const flowing = arrived.slice(Math.max(0, first - 1))
      const perSecond = flowing
        .slice(1)
        .map(({ at, count }, index) => ((count - flowing[index]!.count) * 1000) / (at - flowing[index]!.at))
      const last = arrived.at(-1)!
      return {
        left: last.count,
        seconds: (last.at - startedAt) / 1000,
        per_s_p5: percentile(perSecond, 0.05),
        per_s_median: percentile(perSecond, 0.5),
        per_s_max: Math.max(...perSecond),
      }
    },
  }
}

/** Longer than the first retry's wait. */
const outageStallMs = 90_000
