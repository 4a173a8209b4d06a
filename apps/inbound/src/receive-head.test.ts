/** The beginning of a message, whatever its size, and all beginnings together within bounds. */
import { PassThrough } from 'node:stream'
import { expect, test } from '@jest/globals'
import { receiveHead } from './receive-head.ts'

function received(...chunks: readonly Buffer[]) {
  const stream = new PassThrough()
  const result = receiveHead(stream, 10)
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  return result
}

test.each([
  ['nothing', [], '', true],
  ['less', ['abc', 'def'], 'abcdef', true],
  ['as much', ['abcde', 'fghij'], 'abcdefghij', true],
  ['more', ['abcdefgh', 'ijklm', 'n'], 'abcdefghij', false],
])('%s', async (_name, chunks, head, whole) => {
  const result = await received(...chunks.map((chunk) => Buffer.from(chunk)))
  expect(result).toEqual({ head: Buffer.from(head), whole })
})

test('a client that goes away', async () => {
  const stream = new PassThrough()
  const result = receiveHead(stream, 10)
  stream.write('abc')
  stream.destroy()
  await expect(result).rejects.toThrow('went away')
})

test('beyond the bound of all together it is refused for now, and room comes back', async () => {
  const size = 64 * 1024 * 1024
  const open = Array.from({ length: 3 }, () => {
    const stream = new PassThrough()
    return { stream, result: receiveHead(stream, size) }
  })
  const chunk = Buffer.alloc(size)
  for (const { stream } of open) stream.write(chunk)
  await new Promise(setImmediate)
  for (const { stream } of open) stream.end()
  const results = await Promise.all(open.map(({ result }) => result))
  expect(results.map((result) => (result instanceof Error ? result.responseCode : 'taken'))).toEqual([
    'taken',
    'taken',
    452,
  ])
  expect(await received(Buffer.from('abc'))).toEqual({ head: Buffer.from('abc'), whole: true })
})
