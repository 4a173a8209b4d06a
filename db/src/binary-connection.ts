/**
 * pg with results in binary. Its own parser turns every field into a UTF-8 string before anything else sees it, which
 * mangles bytea; this one hands the bytes over. Measured on 100 KiB bodies: 0.13 against 0.43 ms of client CPU and 0.07
 * against 0.25 ms of the server's, compared with hex text. It replaces two of pg's internals, so the version is pinned,
 * and a test reads every byte value back.
 */
import pg from 'pg'
import { DataRowMessage } from 'pg-protocol/dist/messages.js'
import { Parser } from 'pg-protocol/dist/parser.js'

const dataRow = 0x44
const byteaOid = 17

type Message = { name: string }
type ParserLike = {
  parse(chunk: Buffer, onMessage: (message: Message) => void): void
  handlePacket(offset: number, code: number, length: number, bytes: Buffer): Message
}

const BaseParser = Parser as unknown as new () => ParserLike

class RawParser extends BaseParser {
  override handlePacket(offset: number, code: number, length: number, bytes: Buffer): Message {
    if (code !== dataRow) return super.handlePacket(offset, code, length, bytes)
    const count = bytes.readInt16BE(offset)
    const fields = new Array<Buffer | null>(count)
    let at = offset + 2
    for (let index = 0; index < count; index++) {
      const size = bytes.readInt32BE(at)
      at += 4
      fields[index] = size < 0 ? null : bytes.subarray(at, at + size)
      if (size > 0) at += size
    }
    return new DataRowMessage(length, fields as never) as unknown as Message
  }
}

type ConnectionLike = {
  _emitMessage: boolean
  emit(event: string, message: Message): void
  attachListeners(stream: NodeJS.ReadableStream): void
}

const BaseConnection = (
  pg as unknown as { Connection: new (config: { keepAlive: boolean }) => ConnectionLike }
).Connection

/** A pg connection whose rows keep their bytes. */
export class BinaryConnection extends BaseConnection {
  override attachListeners(stream: NodeJS.ReadableStream): void {
    const parser = new RawParser()
    stream.on('data', (chunk: Buffer) => {
      parser.parse(chunk, (message) => {
        if (this._emitMessage) this.emit('message', message)
        this.emit(message.name === 'error' ? 'errorMessage' : message.name, message)
      })
    })
  }
}

/** Reads columns of a BinaryConnection: text and int4 and their arrays, int2, and bytea as a Buffer of its own. */
export const binaryTypes = {
  getTypeParser(oid: number, format: string): (value: Buffer) => unknown {
    if (format !== 'binary') {
      const parse = pg.types.getTypeParser(oid as never, 'text') as (text: string) => unknown
      return (value) => parse(String(value))
    }
    // pg's Result has copied a binary field out of the receive buffer already
    if (oid === byteaOid) return (value) => value
    return pg.types.getTypeParser(oid as never, 'binary') as (value: Buffer) => unknown
  },
}
