/** The stand-in for psql prints what psql prints; the expected texts are psql 15's own output. */
import { expect, test } from '@jest/globals'
import { formatTable } from './table.ts'

const text = (name: string) => ({ name, alignRight: false })
const number = (name: string) => ({ name, alignRight: true })

test.each([
  {
    name: 'texts to the left, numbers to the right, headings in the middle',
    columns: [text('x'), number('num')],
    rows: [
      ['abc', '5'],
      ['a', '10000'],
    ],
    expected: ['  x  |  num  ', '-----+-------', ' abc |     5', ' a   | 10000', '(2 rows)', '', ''],
  },
  {
    name: 'a value of several lines, an empty last value, a character of two bytes',
    columns: [number('a'), text('bcd'), text('t'), text('n')],
    rows: [['1', 'é', 'l1\nline2', '']],
    expected: [
      ' a | bcd |   t   | n ',
      '---+-----+-------+---',
      ' 1 | é   | l1   +| ',
      '   |     | line2 | ',
      '(1 row)',
      '',
      '',
    ],
  },
  {
    name: 'a number beside the second line of a text',
    columns: [text('t'), number('a')],
    rows: [['l1\nline2', '1']],
    expected: ['   t   | a ', '-------+---', ' l1   +| 1', ' line2 | ', '(1 row)', '', ''],
  },
  {
    name: 'no rows',
    columns: [number('?column?')],
    rows: [],
    expected: [' ?column? ', '----------', '(0 rows)', '', ''],
  },
  {
    name: 'control characters written out',
    columns: [text('reply')],
    rows: [['550 \u001b[31mno\r']],
    expected: ['      reply       ', '------------------', ' 550 \\x1B[31mno\\r', '(1 row)', '', ''],
  },
])('$name', ({ columns, rows, expected }) => {
  expect(formatTable(columns, rows).split('\n')).toEqual(expected)
})
