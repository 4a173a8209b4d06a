/** Takes a message in after DATA and keeps only its beginning, so that its size costs no memory. */
import type { Readable } from 'node:stream'
import { type Reply, replies } from './replies.ts'

/** Beginnings being received by all sessions together; beyond it new ones are refused for now. */
const receivingBytesMax = 128 * 1024 * 1024
/** RFC 5321 §4.5.3.2.5 gives a client three minutes per chunk; a whole message has this long. */
const messageSecondsMax = 600

let receivingBytes = 0

/**
 * Resolves at the end of the message, `whole` saying whether `head` is all of it; or with the reply it is refused with. Rejects
 * when the client goes away.
 */
export function receiveHead(
  stream: Readable,
  bytesMax: number,
): Promise<{ head: Buffer; whole: boolean } | Reply> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let kept = 0
    let whole = true
    let refusal: Reply | undefined
    const forget = () => {
      receivingBytes -= kept
      kept = 0
      chunks = []
      clearTimeout(deadline)
    }
    const deadline = setTimeout(
      () => stream.destroy(new Error('the message took too long')),
      messageSecondsMax * 1000,
    )
    const fail = () => {
      forget()
      reject(new Error('the client went away'))
    }
    stream.on('data', (chunk: Buffer) => {
      if (refusal) return
      const part = chunk.subarray(0, bytesMax - kept)
      if (receivingBytes + part.length > receivingBytesMax) {
        refusal = replies.outOfMemory()
        return forget()
      }
      whole &&= part.length === chunk.length
      kept += part.length
      receivingBytes += part.length
      if (part.length > 0) chunks.push(part)
    })
    stream.on('end', () => {
      const head = Buffer.concat(chunks, kept)
      forget()
      resolve(refusal ?? { head, whole })
    })
    stream.on('error', fail)
    stream.on('close', () => {
      if (!stream.readableEnded) fail()
    })
  })
}
