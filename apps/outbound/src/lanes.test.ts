/** Lanes: bounded, fair, and nothing that is in the table may be forgotten. */
import { describe, expect, test } from '@jest/globals'
import { Lanes } from './lanes.ts'

const row = (id: number, domain = 'a.test', more: { projectId?: string; priority?: number } = {}) => ({
  id,
  ipId: 1,
  projectId: 'p',
  domain,
  priority: 50,
  sizeBytes: 100,
  messageId: `m${id}`,
  ...more,
})
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const ids = (rows: { id: number }[]) => rows.map(({ id }) => id)
const any = () => undefined

describe('taking', () => {
  test('goes round the lanes, so a deep domain does not stand in front of the others', () => {
    const lanes = new Lanes()
    for (const id of range(1, 5)) lanes.add(row(id))
    lanes.add(row(6, 'b.test'))
    lanes.add(row(7, 'c.test'))
    expect(ids(lanes.take(4, 1e9, any))).toEqual([1, 6, 7, 2])
  })

  test('goes round the projects first, so one with many domains has no more turns than one with a single domain', () => {
    const lanes = new Lanes()
    for (const id of range(1, 6)) lanes.add(row(id, `d${id}.test`, { projectId: 'many' }))
    for (const id of range(7, 9)) lanes.add(row(id, 'a.test', { projectId: 'one' }))
    expect(ids(lanes.take(6, 1e9, any))).toEqual([1, 7, 2, 8, 3, 9])
  })

  test('prefers urgent mail and starves none', () => {
    const lanes = new Lanes()
    for (const id of range(1, 100)) lanes.add(row(id, 'a.test', { priority: 90 }))
    for (const id of range(101, 200)) lanes.add(row(id, 'a.test', { priority: 50 }))
    for (const id of range(201, 300)) lanes.add(row(id, 'a.test', { priority: 10 }))
    const taken = lanes.take(42, 1e9, any)
    const shares = [10, 50, 90].map((priority) => taken.filter((item) => item.priority === priority).length)
    expect([taken[0]!.priority, shares]).toEqual([10, [32, 8, 2]])
  })

  test('passes over a lane that is blocked, until what blocked it gives way', () => {
    const lanes = new Lanes()
    for (const id of range(1, 3)) lanes.add(row(id))
    lanes.add(row(4, 'b.test'))
    const blocked = (lane: { domain: string }) => (lane.domain === 'a.test' ? 'site' : undefined)
    expect(ids(lanes.take(10, 1e9, blocked))).toEqual([4])
    let asked = 0
    lanes.take(10, 1e9, () => void asked++)
    expect([asked, lanes.count]).toEqual([0, 3])
    lanes.unpark('another')
    expect(lanes.take(10, 1e9, any)).toEqual([])
    lanes.unpark('site')
    expect(ids(lanes.take(10, 1e9, any))).toEqual([1, 2, 3])
  })

  test('brings back as many blocked lanes as there is room, urgent ones first', () => {
    const lanes = new Lanes()
    for (const id of range(1, 5)) lanes.add(row(id, `d${id}.test`))
    lanes.add(row(6, 'd6.test', { priority: 10 }))
    lanes.take(10, 1e9, () => 'site')
    lanes.unpark('site', 1)
    expect(ids(lanes.take(10, 1e9, any))).toEqual([6])
    lanes.unpark('site', 2)
    expect(ids(lanes.take(10, 1e9, any))).toEqual([1, 2])
  })

  test('stops at the bytes that are wanted', () => {
    const lanes = new Lanes()
    for (const id of range(1, 9)) lanes.add(row(id))
    expect(ids(lanes.take(9, 250, any))).toEqual([1, 2, 3])
  })
})

describe('a lane over its bound', () => {
  const overfull = () => {
    const lanes = new Lanes()
    const kept = range(1, 3000).filter((id) => lanes.add(row(id)))
    return { lanes, kept }
  }

  test('remembers where it stopped and is filled up from there', () => {
    const { lanes, kept } = overfull()
    expect(kept).toEqual(range(1, 2000))
    lanes.take(1800, 1e9, any)
    const [lane] = lanes.thirsty(9)
    expect(lane!.stoppedAt).toBe(2000)
    lanes.refill(
      lane!,
      range(2001, 3000).map((id) => row(id)),
      true,
      () => false,
    )
    expect(ids(lanes.take(5000, 1e9, any))).toEqual(range(1801, 3000))
  })

  test('does not forget a row that came while it was being filled up', () => {
    const { lanes } = overfull()
    lanes.take(1800, 1e9, any)
    const [lane] = lanes.thirsty(9)
    lane!.refilling = true
    lane!.leftBehind = undefined
    lanes.add(row(9000))
    lanes.refill(
      lane!,
      range(2001, 3000).map((id) => row(id)),
      true,
      () => false,
    )
    expect(lane!.stoppedAt).toBe(3000)
  })

  test('goes back for a lower id that became visible late', () => {
    const { lanes } = overfull()
    lanes.take(1800, 1e9, any)
    const [lane] = lanes.thirsty(9)
    lane!.refilling = true
    lane!.leftBehind = undefined
    lanes.add(row(2500))
    lanes.refill(lane!, [row(2400), row(2600)], false, () => false)
    expect(lane!.stoppedAt).toBe(2499)
  })
})

describe('memory', () => {
  test('a few deep lanes do not keep the others out: they are cut down and filled up again later', () => {
    const shed: number[] = []
    const lanes = new Lanes({ onShed: (rows) => shed.push(...ids([...rows])) })
    let id = 0
    for (let lane = 0; lane < 40; lane++)
      for (let rows = 0; rows < 2_000; rows++) lanes.add(row(++id, `deep${lane}.test`))
    expect(lanes.count).toBeLessThanOrEqual(60_000)
    expect(lanes.add(row(++id, 'late.test'))).toBe(true)
    for (const lane of lanes.thirsty(9)) expect(lane.stoppedAt).toBeDefined()
    // What was cut lies behind where its lane stopped, so that nothing is forgotten
    const stops = new Map(
      lanes.overflowing(1).domains.map((domain, index) => [domain, lanes.overflowing(1).stops[index]!]),
    )
    for (const cut of shed)
      expect(cut).toBeGreaterThan(stops.get(`deep${Math.floor((cut - 1) / 2_000)}.test`)!)
  })

  test('rows of what is suspended are forgotten, to be read again', () => {
    const shed: number[] = []
    const lanes = new Lanes({ onShed: (rows) => shed.push(...ids([...rows])) })
    lanes.add(row(7, 'a.test', { projectId: 'hacked' }))
    lanes.add(row(8, 'a.test'))
    lanes.dropSuspended((project) => project === 'hacked')
    expect([shed, lanes.count, ids(lanes.take(5, 1e9, any))]).toEqual([[7], 1, [8]])
    // Read again once it is resumed
    lanes.add(row(7, 'a.test', { projectId: 'hacked' }))
    expect(ids(lanes.take(5, 1e9, any))).toEqual([7])
  })
})
