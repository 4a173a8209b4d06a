import { expect, test } from '@jest/globals'
import { createRegistry } from './metrics.ts'
import { TallyCounter, TallyHistogram } from './tally.ts'
import { other, TopNames } from './top-names.ts'

const linesOf = (text: string) => text.split('\n').filter((line) => /(^| )x_/.test(line))

test('a counter shows each series with its labels and the app', async () => {
  const registry = createRegistry('test')
  const counter = new TallyCounter<'kind'>({ name: 'x_total', help: 'Xs', registers: [registry] })
  const one = counter.series({ kind: 'a"b' })
  counter.series({ kind: 'never' })
  one.value += 3
  const gone = counter.series({ kind: 'gone' })
  counter.remove(gone)
  expect(linesOf(await registry.metrics())).toEqual([
    '# HELP x_total Xs',
    '# TYPE x_total counter',
    'x_total{kind="a\\"b",app="test"} 3',
    'x_total{kind="never",app="test"} 0',
  ])
})

test('a histogram adds up its buckets, and a bound belongs to the bucket below it', async () => {
  const registry = createRegistry('test')
  const histogram = new TallyHistogram({
    name: 'x_seconds',
    help: 'Xs',
    registers: [registry],
    buckets: [1, 2],
  })
  const series = histogram.series({})
  for (const value of [0.5, 1, 1.5, 9]) series.observe(value)
  expect(linesOf(await registry.metrics()).slice(2)).toEqual([
    'x_seconds_bucket{le="1",app="test"} 2',
    'x_seconds_bucket{le="2",app="test"} 3',
    'x_seconds_bucket{le="+Inf",app="test"} 4',
    'x_seconds_sum{app="test"} 12',
    'x_seconds_count{app="test"} 4',
  ])
})

function makeNames(limit: number) {
  let now = 0
  const counts = new Map<string, number>()
  const names = new TopNames<string>({
    limit,
    make: (name) => name,
    drop: (name) => counts.delete(name),
    clock: () => now,
  })
  const hit = (name: string, times = 1) => {
    for (let time = 0; time < times; time++) {
      const label = names.of(name)
      counts.set(label, (counts.get(label) ?? 0) + 1)
    }
  }
  return { counts, hit, minute: () => (now += 60_000) }
}

test('the first names have a place, the others share one', () => {
  const { counts, hit } = makeNames(2)
  for (const name of ['a', 'b', 'c', 'd', 'a']) hit(name)
  expect([...counts]).toEqual([
    ['a', 2],
    ['b', 1],
    [other, 2],
  ])
})

test('a name that is much busier takes the place of the least busy one', () => {
  const { counts, hit, minute } = makeNames(2)
  hit('busy', 100)
  hit('idle')
  hit('rising', 50)
  minute()
  hit('rising', 2)
  expect([...counts.keys()].sort()).toEqual(['busy', other, 'rising'])
})

test('names that are as busy do not take turns', () => {
  const { counts, hit, minute } = makeNames(1)
  hit('first')
  for (let round = 0; round < 5; round++) {
    hit('second', 10)
    hit('first', 10)
    minute()
  }
  expect([...counts.keys()]).toEqual(['first', other])
})

test('however many names there are, the entries are bounded', () => {
  const { counts, hit, minute } = makeNames(50)
  for (let round = 0; round < 3; round++) {
    for (let name = 0; name < 10_000; name++) hit(`${(name * 7 + round * 331) % 10_000}`, 1 + (name % 3))
    minute()
  }
  expect(counts.size).toBeLessThanOrEqual(51)
})
