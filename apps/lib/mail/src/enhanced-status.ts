/** Reads the reply of a remote SMTP server: code, enhanced status code and the text for people. */
import { truncate } from './encoded-word.ts'

/**
 * A reply taken apart. `code` is 0 where the text does not begin with one; `enhanced` is like `5.1.1`; `text` is one
 * line of at most 1,000 characters without the codes.
 */
export type ParsedReply = { code: number; enhanced: string | undefined; text: string }

const maxRead = 10_000
const maxText = 1_000
const replyCode = /^([2-5][0-9]{2})(?:[ -]|$)/
const statusCode = /^[ #[(]{0,3}([245])\.([0-9]{1,3})\.([0-9]{1,3})(?![0-9.]*[0-9])[\]):]?/
const undisplayable = /[\p{Cc}\p{Zl}\p{Zp}]+/gu

/**
 * Parses a reply as it came, its lines separated by CRLF or LF (RFC 5321 §4.2). The lines are joined by spaces, the
 * codes at the start of each left out, control characters become spaces. An enhanced code (RFC 2034, RFC 3463) whose
 * class differs from the reply code's is dropped, since one of the two is wrong and the reply code decides.
 */
export function parseReply(text: string): ParsedReply {
  const lines = text.slice(0, maxRead).split(/\r?\n/)
  const code = replyCode.exec(lines[0] as string)?.[1]
  let enhanced: string | undefined
  const rest: string[] = []
  for (const line of lines) {
    let words = code !== undefined && replyCode.exec(line)?.[1] === code ? line.slice(4) : line
    const status = statusCode.exec(words)
    if (status) {
      const found = `${status[1]}.${Number(status[2])}.${Number(status[3])}`
      enhanced ??= found
      if (found === enhanced) words = words.slice(status[0].length)
    }
    words = words.replace(undisplayable, ' ').trim()
    if (words !== '') rest.push(words)
  }
  const agrees = enhanced !== undefined && (code === undefined || enhanced[0] === code[0])
  return {
    code: code === undefined ? 0 : Number(code),
    enhanced: agrees ? enhanced : undefined,
    text: truncate(rest.join(' ').toWellFormed(), maxText),
  }
}
