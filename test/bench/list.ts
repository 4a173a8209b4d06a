/** list: how long a page of GET /emails takes on few messages and on many, first and deep, whatever it is narrowed to. */
import type { ParseArgsOptionsConfig } from 'node:util'
import { makeThrowAwayDirectory } from '@postel/db/testing/throw-away-directory'
import type { Cleanup } from './cleanup.ts'
import { count, type Flags } from './flags.ts'
import { timeGets } from './http-load.ts'
import { sender } from './load.ts'
import { figure, machine, percentile, printTable, progress, rounded } from './report.ts'
import { startSink } from './sink.ts'
import { type Postel, type Rest, startPostel } from './system.ts'
import { findTool } from './tools.ts'

export const usage = 'list [--small 50000] [--messages 5000000] [--pages 1000] [--json]'

export const flags = {
  small: { type: 'string', default: '50000' },
  messages: { type: 'string', default: '5000000' },
  pages: { type: 'string', default: '1000' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

/** The messages are spread over so many days up to now. */
const days = 10
const portion = 50_000
/** Of each recipient, subject and tag there are so many messages, whatever there is in all: a page is full. */
const ofEach = 100
const limit = 20
const warmUp = 100

/** Messages from one place in time to another; `of` so many. */
type Range = { from: number; to: number; of: number }
type Figures = { p50_ms: number; p95_ms: number }

/** What a page may be narrowed to, or where it begins, drawn anew for each. */
const kinds: Record<string, (groups: number, ids: readonly string[]) => Record<string, string>> = {
  newest: () => ({}),
  deep: (_, ids) => ({ after: drawn(ids) }),
  upwards: (_, ids) => ({ before: drawn(ids) }),
  recipient: (groups) => ({ recipient: `r${below(groups)}@dest.test` }),
  subject: (groups) => ({ subject: `Receipt ${below(groups)}` }),
  tag: (groups) => ({ tag: `batch:${below(groups)}` }),
  bounced: (_, ids) => ({ status: 'bounced', after: drawn(ids) }),
  sender: (_, ids) => ({ sender, after: drawn(ids) }),
}

/** Measures both sizes on one system, which grows in between; resolves with false when a page was not full. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const small = count(given, 'small', 10_000, 1_000_000)
  const many = count(given, 'messages', 2 * small, 100_000_000)
  const pages = count(given, 'pages', 20, 1_000_000)
  findTool('smtp-sink')
  const directory = makeThrowAwayDirectory('postel-bench-')
  cleanup.defer(() => directory.remove())
  const sink = await startSink(cleanup, directory.path)
  const postel = await startPostel(cleanup, { directory: directory.path, sinkPort: sink.port, dkim: 'none' })
  const rest = await postel.startApi()
  for (const app of ['inbound', 'outbound', 'worker'] as const) await postel.stop(app)
  await postel.sql`select postel.create_partitions(${days + 1}, now() - make_interval(days => ${days}))`

  const to = Date.now()
  const from = to - (days - 1) * 86_400_000
  await fill(postel, { from, to, of: small })
  const few = await measure(postel, rest, { total: small, groups: groupsOf(small) }, pages)
  // Between the first ones, so that the small table's days hold more and its ends stay where they are
  await fill(postel, { from: from + 1, to: to - 1, of: many - small })
  const all = await measure(postel, rest, { total: many, groups: groupsOf(many - small) }, pages)

  const ratios = Object.fromEntries(
    Object.keys(kinds).map((kind) => [kind, all[kind]!.p95_ms / few[kind]!.p95_ms]),
  )
  const result = {
    worst_ratio: Math.max(...Object.values(ratios)),
    ratios,
    deep_to_newest: all.deep!.p95_ms / all.newest!.p95_ms,
    small: few,
    many: all,
  }
  const thousands = (value: number) => value.toLocaleString('en-US')
  console.log(
    `\nlist: ${limit} of ${thousands(small)} messages and of ${thousands(many)}, ${thousands(pages)} pages of each kind\n${machine()}\n`,
  )
  printTable([
    ['', 'p50 ms', 'p95 ms', `p50 ms of ${thousands(many)}`, 'p95 ms', 'ratio of p95'],
    ...Object.keys(kinds).map((kind) => [
      kind,
      figure(few[kind]!.p50_ms),
      figure(few[kind]!.p95_ms),
      figure(all[kind]!.p50_ms),
      figure(all[kind]!.p95_ms),
      figure(ratios[kind]),
    ]),
  ])
  if (given.json) console.log(JSON.stringify(rounded(result)))
  return true
}

/** All kinds take turns, so that each meets the same moments of the machine. */
async function measure(
  postel: Postel,
  rest: Rest,
  { total, groups }: { total: number; groups: number },
  pages: number,
): Promise<Record<string, Figures>> {
  const ids = (
    await postel.sql<{ id: string }[]>`
      select id from postel.messages tablesample system (10)
      where id between postel.uuid_v7_floor(now() - make_interval(days => ${days - 2}))
        and postel.uuid_v7_floor(now() - interval '1 hour')
      order by random() limit 10000`
  ).map(({ id }) => id)
  const took: Record<string, number[]> = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]))
  const names = Object.keys(kinds)
  const path = (index: number) => {
    const query = new URLSearchParams({
      limit: `${limit}`,
      ...kinds[names[index % names.length]!]!(groups, ids),
    })
    return `/emails?${query}`
  }
  const requests = (warmUp + pages) * names.length
  await timeGets(rest, requests, path, (index, ms, body) => {
    const kind = names[index % names.length]!
    const { data } = JSON.parse(body) as { data: unknown[] }
    if (data.length < limit) throw new Error(`a page of ${data.length}: ${path(index)}`)
    if (index >= warmUp * names.length) took[kind]!.push(ms)
  })
  const figures = Object.fromEntries(
    names.map((kind) => [
      kind,
      { p50_ms: percentile(took[kind]!, 0.5), p95_ms: percentile(took[kind]!, 0.95) },
    ]),
  )
  for (const [kind, { p50_ms, p95_ms }] of Object.entries(figures))
    progress(`${total} messages, ${kind}: p50 ${figure(p50_ms)} ms, p95 ${figure(p95_ms)} ms`)
  return figures
}

/** Delivered messages of one recipient each with a tag, one in fifty bounced, evenly spread in time. */
async function fill({ sql }: Postel, { from, to, of }: Range): Promise<void> {
  const groups = groupsOf(of)
  const stepMs = (to - from) / of
  for (let start = 0; start < of; start += portion) {
    const end = Math.min(of, start + portion)
    await sql`
      with n as materialized (
        select
          i, at, (i * 7919) % ${groups} as grp, p.id as project_id, p.organization_id,
          -- As uuid_v7 makes them: a random tail after the moment
          (left(postel.uuid_v7_floor(at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid as id
        from generate_series(${start}::bigint, ${end - 1}::bigint) as i
        cross join lateral (select to_timestamp((${from}::float8 + i * ${stepMs}::float8) / 1000) as at) as t
        cross join postel.projects p
        where p.name = 'default'
      ),
      m as (
        insert into postel.messages (
          id, created_at, expires_at, organization_id, project_id, size_bytes, recipient_count, source, envelope_from,
          signing_domain, message_id_header, header_from, subject, details
        )
        select
          id, at, at + interval '3 days', organization_id, project_id, 4096, 1, 'rest', ${sender}, 's.test',
          '<' || i || '@s.test>', ${sender}, 'Receipt ' || grp, jsonb_build_object('to', array['r' || grp || '@dest.test'])
        from n
      ),
      t as (
        insert into postel.message_tags (project_id, tag, message_id)
        select project_id, 'batch:' || grp, id from n
      ),
      e as (
        insert into postel.events (id, created_at, organization_id, message_id, number, type)
        select id, at, organization_id, id, 1, 'bounced' from n where i % 50 = 0
      )
      insert into postel.deliveries (message_id, number, state, attempts, created_at, updated_at, recipient, domain, last_reply)
      select
        id, 1, case when i % 50 = 0 then 'bounced' else 'delivered' end, 1, at, at + interval '1 s',
        'r' || grp || '@dest.test', 'dest.test', '250 2.0.0 Ok'
      from n`
    if ((end / portion) % 20 === 0) progress(`filled ${end} of ${of}`)
  }
  await sql`vacuum analyze`
  await sql`checkpoint`
}

const groupsOf = (messages: number) => Math.max(1, Math.round(messages / ofEach))
const below = (count: number) => Math.floor(Math.random() * count)
const drawn = (ids: readonly string[]) => ids[below(ids.length)]!
