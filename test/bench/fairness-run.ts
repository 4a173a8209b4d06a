/**
 * One scenario of `fairness` on a fresh system: the others' mail flows all the time; how long it takes is measured first
 * alone and then with the disturbance.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import type { Cleanup } from './cleanup.ts'
import { cpuOf } from './cpu.ts'
import { type Disturbance, disturber, floodPlan, type System } from './disturbances.ts'
import { startNoise } from './noise.ts'
import { countedDomains, goodDomains, startRemotes } from './remotes.ts'
import { percentile } from './report.ts'
import { type Sent, startStream } from './stream.ts'
import { type Part, type Postel, startPostel } from './system.ts'

export type ScenarioRun = {
  disturbance: Disturbance
  /** Of the disturber's project. */
  priority: number
  othersPerSecond: number
  /** What the disturber sends, for the warm-up: all paths are compiled before anything is measured. */
  floodPerSecond: number
  aloneSeconds: number
}

/** From the moment when a message's last octet was written until its final dot had arrived at the recipient's server. */
export type Phase = {
  messages: number
  p50_ms: number
  p95_ms: number
  max_ms: number
  /** From the same moment until the 250. */
  submission_p95_ms: number
  /** By Postel's records: from acceptance by the database until the message was read for a try, and the try itself. */
  queued_p95_ms: number
  sending_p95_ms: number
  /** Processors kept busy by each part, and by the benchmark itself. */
  cores: Record<Part | 'bench', number>
}

export type ScenarioFigures = {
  alone: Phase
  disturbed: Phase
  /** How many times as long the others' mail takes, at the 95th percentile. */
  ratio: number
  disturbance: Record<string, number>
  /** Of the others' mail: not taken; taken and not at its server, nor still in the queue; still in the queue. */
  refused: number
  lost: number
  late: number
  duplicated: number
}

const warmUpSeconds = 5
/** What the others' mail still has after the last of it was sent. */
const patienceMs = 30_000
const others = Array.from({ length: 4 }, (_, index) => ({
  project: `other${index + 1}`,
  client: `127.0.4.${index + 1}`,
}))

type Records = Pick<Phase, 'queued_p95_ms' | 'sending_p95_ms'>
type Window = { from: number; to: number; cores: Phase['cores'] }

export async function runScenario(cleanup: Cleanup, run: ScenarioRun): Promise<ScenarioFigures> {
  const directory = makeThrowAwayDirectory('postel-bench-')
  const remove = cleanup.defer(() => directory.remove())
  const arrivals = new Map<string, { at: number; count: number }>()
  const remotes = await startRemotes(cleanup, directory.path, (token, at) => {
    const known = arrivals.get(token)
    if (known) known.count++
    else arrivals.set(token, { at, count: 1 })
  })
  const postel = await startPostel(cleanup, {
    directory: directory.path,
    sinkPort: remotes.counted.port,
    dkim: 'none',
    environment: remotes.environment,
  })
  for (const { project, client } of others) await addProject(postel, project, client, 50)
  await addProject(postel, disturber.project, disturber.client, run.priority)
  const system: System = { cleanup, postel, remotes }
  await warmUp(system, run.floodPerSecond)
  await run.disturbance.prepare?.(system, run.aloneSeconds)

  const sent: Sent[] = []
  const stream = startStream(
    cleanup,
    {
      port: postel.port,
      perSecond: run.othersPerSecond,
      clients: others.map(({ client }) => client),
      domains: goodDomains,
      bytes: 4096,
      prefix: 'other',
    },
    (message) => sent.push(message),
  )
  await sleep(2000)
  const aloneWindow = await observe(postel, () => sleep(run.aloneSeconds * 1000))
  await run.disturbance.begin(system)
  const disturbedWindow = await observe(postel, () => run.disturbance.last(system))
  const { refused } = await stream.stop()
  const disturbance = await run.disturbance.end(system)

  const missing = () => sent.filter(({ token }) => !arrivals.has(token)).length
  for (const end = performance.now() + patienceMs; missing() > 0 && performance.now() < end; ) await sleep(50)
  const endedAt = performance.now()
  const late = missing() > 0 ? await countLive(postel) : 0
  const lost = missing() - late
  const duplicated = sent.reduce((sum, { token }) => sum + (arrivals.get(token)?.count ?? 1) - 1, 0)
  const aloneRecords = await recordsOf(postel, aloneWindow)
  const disturbedRecords = await recordsOf(postel, disturbedWindow)
  await remotes.stop()
  await postel.stopAll()
  await remove()

  const phase = (window: Window, records: Records): Phase => {
    const messages = sent.filter(({ sentAt }) => sentAt >= window.from && sentAt < window.to)
    const took = messages.map(({ token, sentAt }) => (arrivals.get(token)?.at ?? endedAt) - sentAt)
    return {
      messages: messages.length,
      p50_ms: percentile(took, 0.5),
      p95_ms: percentile(took, 0.95),
      max_ms: took.reduce((most, value) => Math.max(most, value), 0),
      submission_p95_ms: percentile(
        messages.map(({ sentAt, repliedAt }) => repliedAt - sentAt),
        0.95,
      ),
      ...records,
      cores: window.cores,
    }
  }
  const alone = phase(aloneWindow, aloneRecords)
  const disturbed = phase(disturbedWindow, disturbedRecords)
  return {
    alone,
    disturbed,
    ratio: disturbed.p95_ms / alone.p95_ms,
    disturbance,
    refused,
    lost,
    late,
    duplicated,
  }
}

/** A flood that harms nobody, at the rate of the one that is to come. */
async function warmUp({ cleanup, postel, remotes }: System, perSecond: number): Promise<void> {
  const noise = startNoise(cleanup, floodPlan(postel.port, countedDomains, perSecond))
  await sleep(warmUpSeconds * 1000)
  const { taken, refused } = await noise.stop()
  const { count } = await remotes.counted.reach(taken, 20)
  if (refused > 0 || count < taken || !(await postel.becomesIdle()))
    throw new Error(
      `${count} of ${taken} messages arrived in the warm-up, ${refused} were refused:\n${await postel.diagnose()}`,
    )
}

async function observe(postel: Postel, work: () => Promise<unknown>): Promise<Window> {
  const roots = postel.roots()
  const before = cpuOf(roots)
  const benchBefore = process.cpuUsage()
  const from = performance.now()
  await work()
  const to = performance.now()
  const bench = process.cpuUsage(benchBefore)
  const after = cpuOf(roots)
  const cores = Object.fromEntries(
    (Object.keys(roots) as Part[]).map((part) => [part, (after[part] - before[part]) / (to - from)]),
  ) as Record<Part, number>
  return { from, to, cores: { ...cores, bench: (bench.user + bench.system) / 1000 / (to - from) } }
}

/** A project whose mail comes from that address, without AUTH. */
async function addProject(postel: Postel, name: string, client: string, priority: number): Promise<void> {
  await postel.sql`
    with project as (
      insert into postel.projects (organization_id, name, pool_id, priority)
      select p.organization_id, ${name}, p.pool_id, ${priority}::smallint
      from postel.projects p where p.name = 'default'
      returning id, organization_id
    )
    insert into postel.smtp_credentials (organization_id, project_id, name, network)
    select organization_id, id, ${name}, ${client}::cidr from project`
}

/** What the attempts say of the others' messages of that time. */
async function recordsOf(postel: Postel, { from, to }: Window): Promise<Records> {
  const moment = (at: number) => new Date(performance.timeOrigin + at).toISOString()
  const [row] = await postel.sql<{ queued: number | null; sending: number | null }[]>`
    select
      percentile_cont(0.95) within group (order by extract(epoch from a.at - m.created_at) * 1000) as queued,
      percentile_cont(0.95) within group (order by a.duration_ms) as sending
    from postel.messages m
    join postel.projects p on p.id = m.project_id and p.name like 'other%'
    join postel.attempts a on a.message_id = m.id
    where m.created_at between ${moment(from)}::timestamptz and ${moment(to)}::timestamptz`
  return { queued_p95_ms: row!.queued ?? Number.NaN, sending_p95_ms: row!.sending ?? Number.NaN }
}

/** Messages of the others that are still to be sent. */
async function countLive(postel: Postel): Promise<number> {
  const [row] = await postel.sql<{ count: number }[]>`
    select count(*)::integer as count
    from (
      select project_id from postel.queue
      union all
      select project_id from postel.waiting
    ) as live
    join postel.projects p on p.id = live.project_id
    where p.name like 'other%'`
  return row!.count
}
