/** Finds the first of the shipped rules that applies to a reply, by the beginnings of its words. */
import { providerRules } from './reply-provider-rules.ts'
import { type ReplyRule, replyRules } from './reply-rules.ts'

/** A phrase, by the characters it begins with and, where they are not all of it, the whole. */
type Phrase = { order: number; rule: ReplyRule; start: string; whole: RegExp | undefined }
type CodeRule = { order: number; rule: ReplyRule }

/** A character that may be left out or repeated is none of them. */
const literalStart = /^(?:[^\\^$.|?*+()[\]{}](?![?*{]))+/
const shipped: readonly ReplyRule[] = [...providerRules, ...replyRules]
const byStart = indexPhrases(shipped)
const byCodeAlone = indexCodes(shipped)

/**
 * The first rule that applies to a text in lower case on one line and to codes like `550 5.1.1`. Phrases are tried only
 * at the words that begin as they do, so that the time does not grow with the number of rules.
 */
export function findRule(text: string, codes: string, mxHost: string | undefined): ReplyRule | undefined {
  let best = mxHost === undefined ? shipped.length : firstByCode(codes, mxHost)
  let inWord = false
  for (let at = 0; at < text.length - 2; at++) {
    const isPart = isWordCharacter(text.charCodeAt(at))
    if (isPart && !inWord) {
      const phrases = byStart[startKey(text, at)]
      if (phrases) best = firstByPhrase(phrases, text, at, codes, mxHost, best)
    }
    inWord = isPart
  }
  return shipped[best]
}

function firstByCode(codes: string, mxHost: string): number {
  let best = shipped.length
  for (const [mx, rules] of byCodeAlone) {
    if (!isBelow(mxHost, mx)) continue
    for (const { order, rule } of rules) if (order < best && rule.code?.test(codes)) best = order
  }
  return best
}

function firstByPhrase(
  phrases: readonly Phrase[],
  text: string,
  at: number,
  codes: string,
  mxHost: string | undefined,
  best: number,
): number {
  for (const { order, rule, start, whole } of phrases) {
    if (order >= best) return best
    if (!standsAt(text, start, at)) continue
    if (whole) whole.lastIndex = at
    if (whole && !whole.test(text)) continue
    if (rule.code && !rule.code.test(codes)) continue
    if (!rule.mx || rule.mx.some((mx) => isBelow(mxHost, mx))) return order
  }
  return best
}

function indexPhrases(rules: readonly ReplyRule[]): (readonly Phrase[] | undefined)[] {
  const index = new Array<Phrase[] | undefined>(1 << 15).fill(undefined)
  for (const [order, rule] of rules.entries()) {
    for (const phrase of rule.text ?? []) {
      const start = literalStart.exec(phrase)?.[0] ?? ''
      const key = startKey(start, 0)
      const whole = start === phrase ? undefined : new RegExp(phrase, 'y')
      index[key] = [...(index[key] ?? []), { order, rule, start, whole }]
    }
  }
  return index
}

/** The rules without phrases, by their hosts. */
function indexCodes(rules: readonly ReplyRule[]): Map<string, CodeRule[]> {
  const index = new Map<string, CodeRule[]>()
  for (const [order, rule] of rules.entries()) {
    for (const mx of rule.text ? [] : (rule.mx ?? []))
      index.set(mx, [...(index.get(mx) ?? []), { order, rule }])
  }
  return index
}

/** Three characters as one small number; other characters may give the same one. */
function startKey(text: string, at: number): number {
  return (
    ((text.charCodeAt(at) & 31) << 10) |
    ((text.charCodeAt(at + 1) & 31) << 5) |
    (text.charCodeAt(at + 2) & 31)
  )
}

/** startsWith(), which is a call too many for every phrase of every word. */
function standsAt(text: string, start: string, at: number): boolean {
  if (at + start.length > text.length) return false
  for (let i = 0; i < start.length; i++) if (text.charCodeAt(at + i) !== start.charCodeAt(i)) return false
  return true
}

/** a–z, 0–9 and all that is not ASCII; the text is in lower case. */
function isWordCharacter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code > 127
}

/** Whether a host is the other one, or below it. */
export function isBelow(host: string | undefined, parent: string): boolean {
  if (host === undefined || !host.endsWith(parent)) return false
  return host.length === parent.length || host[host.length - parent.length - 1] === '.'
}
