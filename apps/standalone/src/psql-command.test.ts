/** Which command lines the stand-in for psql can serve. */
import { expect, test } from '@jest/globals'
import { readStatements } from './psql-command.ts'

test.each([
  { args: ['-c', 'select 1'], statements: ['select 1'] },
  {
    args: ['-cselect 1', '--command=select\n2', '--command', 'select 3'],
    statements: ['select 1', 'select\n2', 'select 3'],
  },
  { args: [], statements: undefined },
  { args: ['-c'], statements: undefined },
  { args: ['-c', 'select 1', '-A'], statements: undefined },
  { args: ['-f', 'file.sql'], statements: undefined },
])('$args', ({ args, statements }) => {
  expect(readStatements(args)).toEqual(statements)
})
