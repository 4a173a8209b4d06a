import { expect, test } from '@jest/globals'
import { outdated } from './keeping.ts'
import { objectName, startOf } from './manifest.ts'

const now = new Date('2026-11-22T03:00:00Z')
const days = (...list: string[]) => new Map(list.map((day) => [day, new Date(`${day}T02:30:00Z`)]))

test.each([
  ['nothing when all are kept', days('2020-01-01', '2026-11-22'), { days: 0, months: 0 }, []],
  [
    'what is older than the days',
    days('2026-11-14', '2026-11-16', '2026-11-22'),
    { days: 7, months: 0 },
    ['2026-11-14'],
  ],
  [
    'but the first of each of the last months',
    days('2026-08-05', '2026-09-02', '2026-09-03', '2026-10-01', '2026-10-31', '2026-11-22'),
    { days: 7, months: 2 },
    ['2026-08-05', '2026-09-03', '2026-10-31'],
  ],
  ['never the newest', days('2026-01-01', '2026-02-01'), { days: 7, months: 0 }, ['2026-01-01']],
  ['never the only one', days('2020-01-01'), { days: 7, months: 0 }, []],
])('deletes %s', (_name, backups, keeping, gone) => {
  expect(outdated(backups, keeping, now)).toEqual(gone)
})

test('a name tells when its backup was started, and other names are none', () => {
  const name = objectName('a/', new Date('2026-11-22T02:30:05.123Z'), '1.2.3')
  expect(name).toBe('a/postel-20261122T023005Z-v1.2.3.dump.age')
  expect(objectName('', new Date('2026-11-22T02:30:05Z'), '1.2.3+local/x')).toBe(
    'postel-20261122T023005Z-v1.2.3-local-x.dump.age',
  )
  expect(startOf('a/', name)).toEqual(new Date('2026-11-22T02:30:05Z'))
  expect(startOf('a/', `${name}.json`)).toEqual(new Date('2026-11-22T02:30:05Z'))
  for (const other of ['a/postel-notes.txt', 'b/postel-20261122T023005Z-v1.2.3.dump.age', `${name}.old`])
    expect(startOf('a/', other)).toBeUndefined()
})
