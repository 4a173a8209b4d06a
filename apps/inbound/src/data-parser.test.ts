/** DataParser must give what smtp-server's own parser gives, whatever the content and however it is cut into packets. */
import { describe, expect, test } from '@jest/globals'
import { SMTPStream } from 'smtp-server/lib/smtp-stream'
import { DataParser } from './data-parser.ts'

type Parser = {
  oncommand: (command: Buffer, done: () => void) => void
  startDataMode(): NodeJS.ReadableStream & { on(event: 'data', listener: (chunk: Buffer) => void): void }
  continue(): void
  write(chunk: Buffer): boolean
  end(): void
}

/** What a parser makes of packets that follow DATA: the message, and the commands after it. */
function parse(create: () => unknown, packets: Buffer[]): Promise<{ message: string; commands: string[] }> {
  return new Promise((resolve) => {
    const parser = create() as Parser
    const commands: string[] = []
    const chunks: Buffer[] = []
    parser.oncommand = (command, done) => {
      commands.push(command.toString('latin1'))
      if (commands.at(-1) === 'QUIT')
        return resolve({ message: Buffer.concat(chunks).toString('latin1'), commands })
      setImmediate(done)
    }
    const stream = parser.startDataMode()
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => parser.continue())
    for (const packet of packets) parser.write(packet)
    parser.write(Buffer.from('QUIT\r\n'))
  })
}

function cut(bytes: Buffer, sizes: () => number): Buffer[] {
  const packets: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = Math.max(1, sizes())
    packets.push(bytes.subarray(at, at + size))
    at += size
  }
  return packets
}

const end = '\r\n.\r\nNOOP\r\n'
const bodies: [string, string][] = [
  ['nothing special', `${'x'.repeat(70)}\r\n`.repeat(300)],
  ['dot-stuffed lines', '..\r\n...x\r\n..\r\n'.repeat(50)],
  ['a stuffed dot first', '..first\r\nsecond'],
  ['an empty message', ''],
  ['bare line feeds around dots', 'a\n.\nb\n.\r\nc\r\n.\nd\n..\ne'],
  ['bare carriage returns around dots', 'a\r.\rb\r.\r\nc\r\n.\rd'],
  ['dots everywhere', '.a\n.b\r\n..\r\n.x.\r\n....'],
]

describe('the message and what follows it are those of smtp-server', () => {
  test.each(bodies)('%s', async (_name, body) => {
    const bytes = Buffer.from(body + end, 'latin1')
    let seed = 1
    const random = () => {
      seed = (seed * 1103515245 + 12345) % 2147483648
      return seed
    }
    const cuts = [
      [bytes],
      cut(bytes, () => 1),
      cut(bytes, () => 5),
      ...Array.from({ length: 40 }, () => cut(bytes, () => random() % 9)),
      ...Array.from({ length: 10 }, () => cut(bytes, () => random() % 900)),
    ]
    for (const packets of cuts) {
      const expected = await parse(() => new SMTPStream(), packets)
      expect(await parse(() => new DataParser({}), packets)).toEqual(expected)
    }
  })
})
