/** When a remote server asked to be tried again, if its reply says so. */

const maxRead = 1_000
const maxSeconds = 86_400
const secondsPer: Record<string, number> = { s: 1, m: 60, h: 3_600 }

const number = '(\\d{1,6}(?:\\.\\d{1,3})?|an?|one)'
const unit = '(h(?:ours?|rs?)?|m(?:inutes?|ins?)?|s(?:econds?|ecs?)?)\\b'
const invitation =
  '\\b(?:(?:try|retry|retrying|resend|come back|wait|delay(?: delivery)?)|greylist(?:ed|ing)|graylist(?:ed|ing))'
const filler =
  '(?:[\\s,.:;=(~-]+(?:again|back|later|in action|please|and|then|it|sending|delivery|your|the|this|message|mail|email|in|after|for|within|at|least|about|approximately|another|next))*[\\s,.:;=(~-]+'

const clock = new RegExp(
  `${invitation}${filler}(\\d{1,2}):([0-5]\\d)(?::([0-5]\\d))?\\b(?!:|\\s*(?:[ap]m|utc|gmt))`,
  'i',
)
const amount = new RegExp(
  `${invitation}${filler}${number}\\s*-?\\s*${unit}(?:(?:\\s*,)?(?:\\s+and)?\\s*${number}\\s*${unit})?`,
  'i',
)
const bareSeconds = /\bretry[- ]after[\s:=]+(\d{1,6})\b(?![.:/\w-])/i

/**
 * The delay that a temporary failure's text asks for, in seconds from 1 to 86,400: "try again in 5 minutes", "come
 * back in 00:05:00", "retry after 300 seconds", "wait 120s". Undefined where the text names no delay, or names only
 * limits, past delays and times of day. Reads the first 1,000 characters, in linear time.
 */
export function retryAfterSeconds(reply: string): number | undefined {
  const text = reply.slice(0, maxRead)
  const byClock = clock.exec(text)
  if (byClock) {
    const [, first, second, third] = byClock
    // Greylisting servers write hh:mm:ss; two groups are minutes and seconds.
    const seconds =
      third === undefined
        ? Number(first) * 60 + Number(second)
        : Number(first) * 3_600 + Number(second) * 60 + Number(third)
    return bounded(seconds)
  }
  const byAmount = amount.exec(text)
  if (byAmount) {
    const [, count = '', name = '', moreCount, moreName] = byAmount
    return bounded(toSeconds(count, name) + (moreCount && moreName ? toSeconds(moreCount, moreName) : 0))
  }
  const bare = bareSeconds.exec(text)
  return bare ? bounded(Number(bare[1])) : undefined
}

function toSeconds(count: string, name: string): number {
  const amount = /^\d/.test(count) ? Number(count) : 1
  return amount * (secondsPer[(name[0] as string).toLowerCase()] as number)
}

function bounded(seconds: number): number {
  return Math.min(Math.max(Math.ceil(seconds), 1), maxSeconds)
}
