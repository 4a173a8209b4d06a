// A recipient that is put off is tried again later and later, not in step with others, until it is too old; then it ends once.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { inconsistencies } from '@postel/db/testing/factories'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({ worker: {}, retryScheduleSeconds: [100, 1_000] })
})

afterAll(() => system.stop())

test('each try waits as the schedule says, give or take a tenth by chance (D-28)', async () => {
  const { postel, mx } = system
  mx.script = { rcpt: '451 4.3.0 not now' }
  const ids = await Promise.all(
    Array.from({ length: 30 }, (_, number) =>
      postel.submit({ to: `reader${number}@dest.test`, data: message() }),
    ),
  )
  /** The wait of each, counted from its last try. */
  const waits = async (tries: number) => {
    await waitFor(async () => {
      const states = await Promise.all(ids.map((id) => postel.deliveries(id)))
      return states.every(([delivery]) => delivery!.state === 'deferred' && delivery!.attempts === tries)
    }, 20)
    const rows = await postel.sql<{ seconds: number }[]>`
      select extract(epoch from w.not_before - d.updated_at)::float8 as seconds
      from postel.waiting w join postel.deliveries d using (message_id)
      where w.message_id = any (${ids}::uuid[]) order by 1`
    return rows.map(({ seconds }) => seconds)
  }
  const first = await waits(1)
  for (const id of ids) await postel.retry(id)
  const second = await waits(2)
  for (const [seen, seconds] of [
    [first, 100],
    [second, 1_000],
  ] as const) {
    expect(seen).toHaveLength(30)
    expect(seen[0]).toBeGreaterThan(seconds * 0.89)
    expect(seen.at(-1)).toBeLessThan(seconds * 1.11)
    // Of thirty draws from a fifth of the time, two lie further apart than a twentieth
    expect(seen.at(-1)! - seen[0]!).toBeGreaterThan(seconds * 0.05)
  }
})

test('what is too old after its last try ends as expired, with one final event (D-28)', async () => {
  const { postel, mx } = system
  mx.script = { rcpt: { 'never@dest.test': '451 4.3.0 not now' } }
  await postel.sql`update postel.projects set retry_schedule_seconds = array[1], expire_after_seconds = 8`
  const id = await postel.submit({ to: ['never@dest.test', 'now@dest.test'], data: message() })
  await postel.settled(id)
  await postel.retry(id)
  await waitFor(async () => {
    // What the worker does each minute
    await postel.sql`select postel.expire_queued(), postel.expire_waiting()`
    return (await postel.states(id))[0] === 'never@dest.test expired'
  }, 20)
  expect(await postel.states(id)).toEqual(['never@dest.test expired', 'now@dest.test delivered'])

  const attempts = (await postel.attempts(id)).filter(({ number }) => number === 1)
  // A slow machine may fit another try in; none is anything but deferred, and the end is not one
  expect(attempts.length).toBeGreaterThanOrEqual(2)
  expect(new Set(attempts.map(({ outcome }) => outcome))).toEqual(new Set(['deferred']))
  const [age] = await postel.sql`
    select d.updated_at - m.created_at between interval '8 s' and interval '40 s' as "in time"
    from postel.deliveries d join postel.messages m on m.id = d.message_id
    where d.message_id = ${id} and d.number = 1`
  expect(age).toEqual({ 'in time': true })
  const events = await postel.sql`
    select type from postel.events where message_id = ${id} and number = 1 and type <> 'deferred'`
  expect(events.map(({ type }) => type)).toEqual(['expired'])
  expect(await inconsistencies(postel.sql)).toEqual([])
})
