/** Takes the message in after DATA: bounded in memory, bounded in time. */
import type { SMTPServerDataStream } from 'smtp-server'
import { type Reply, replies } from './replies.ts'

/** Bodies being received by all sessions together; beyond it new ones are refused for now. */
const receivingBytesMax = 512 * 1024 * 1024
/** RFC 5321 §4.5.3.2.5 gives a client three minutes per chunk; a whole message has this long. */
const messageSecondsMax = 600

let receivingBytes = 0

/**
 * Reads the message to its end. Resolves with it, or with the reply it is refused with; a message over the size limit
 * resolves too (smtp-server answers 552 itself). Rejects when the client goes away.
 */
export function receiveMessage(stream: SMTPServerDataStream): Promise<Buffer | Reply> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let bytes = 0
    let refusal: Reply | undefined
    const forget = () => {
      receivingBytes -= bytes
      bytes = 0
      chunks = []
      clearTimeout(deadline)
    }
    const deadline = setTimeout(
      () => stream.destroy(new Error('the message took too long')),
      messageSecondsMax * 1000,
    )
    stream.on('data', (chunk: Buffer) => {
      if (refusal || stream.sizeExceeded) return
      if (receivingBytes + chunk.length > receivingBytesMax) {
        refusal = replies.outOfMemory()
        return forget()
      }
      receivingBytes += chunk.length
      bytes += chunk.length
      chunks.push(chunk)
    })
    stream.on('end', () => {
      const message = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes)
      forget()
      resolve(refusal ?? message)
    })
    const fail = () => {
      forget()
      reject(new Error('the client went away'))
    }
    stream.on('error', fail)
    stream.on('close', () => {
      if (!stream.readableEnded) fail()
    })
  })
}
