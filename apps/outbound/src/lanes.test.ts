/** Lanes: bounded, fair, and nothing that is in the table may be forgotten. */
import { describe, expect, test } from '@jest/globals'
import { Lanes } from './lanes.ts'

const row = (id: number, domain = 'a.test', ipId = 1) => ({
  id,
  ipId,
  domain,
  priority: 50,
  sizeBytes: 100,
  messageId: `m${id}`,
})
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const ids = (rows: { id: number }[]) => rows.map(({ id }) => id)
const any = () => true

describe('taking', () => {
  test('goes round the lanes, so a deep domain does not stand in front of the others', () => {
    const lanes = new Lanes()
    for (const id of range(1, 5)) lanes.add(row(id))
    lanes.add(row(6, 'b.test'))
    lanes.add(row(7, 'c.test'))
    expect(ids(lanes.take(4, 1e9, any))).toEqual([1, 6, 7, 2])
  })

  test('passes over a lane that may not be taken from', () => {
    const lanes = new Lanes()
    for (const id of range(1, 3)) lanes.add(row(id))
    lanes.add(row(4, 'b.test'))
    expect(ids(lanes.take(10, 1e9, (lane) => lane.domain === 'b.test'))).toEqual([4])
    expect(lanes.count).toBe(3)
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
    const [lane] = lanes.thirsty()
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
    const [lane] = lanes.thirsty()
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
    const [lane] = lanes.thirsty()
    lane!.refilling = true
    lane!.leftBehind = undefined
    lanes.add(row(2500))
    lanes.refill(lane!, [row(2400), row(2600)], false, () => false)
    expect(lane!.stoppedAt).toBe(2499)
  })
})
