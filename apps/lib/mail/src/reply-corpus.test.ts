/** The rules against the replies that mail servers really give. */
import { describe, expect, test } from '@jest/globals'
import { isReplyCategory } from './reply-categories.ts'
import { classifyReply } from './reply-classifier.ts'
import { providerRules } from './reply-provider-rules.ts'
import { replyRules } from './reply-rules.ts'
import { halfOf, type LabelledReply } from './testing/replies/corpus.ts'
import { corpus } from './testing/replies/index.ts'
import { laterFinds } from './testing/replies/later-finds.ts'

const rules = [...providerRules, ...replyRules]

const read = (reply: LabelledReply) => {
  const { category, outcome, rule } = classifyReply(reply.reply, reply)
  return { category, outcome: outcome ?? (reply.reply.startsWith('5') ? 'bounced' : 'deferred'), rule }
}

describe('the corpus', () => {
  test('holds more than 600 different replies, each with its source and a category of the list', () => {
    const all = [...corpus, ...laterFinds]
    expect(new Set(all.map(({ reply }) => reply)).size).toBe(all.length)
    expect(corpus.length).toBeGreaterThan(600)
    for (const { reply, category, source } of all) {
      expect(reply).toMatch(/^[45]\d\d/)
      expect(source).not.toBe('')
      expect([category, isReplyCategory(category)]).toEqual([category, true])
    }
  })

  test.each([
    ['tuning half', 0.95, corpus.filter((reply) => halfOf(reply) === 'tuning')],
    ['check half', 0.95, corpus.filter((reply) => halfOf(reply) === 'check')],
    ['later finds', 0.9, laterFinds],
  ])('the %s is read as labelled, but for one reply in ten or twenty', (name, share, replies) => {
    const wrong = replies.flatMap((reply) => {
      const { category, outcome, rule = 'codes' } = read(reply)
      if (category === reply.category && outcome === reply.outcome) return []
      return `wanted ${reply.category} ${reply.outcome}, got ${category} ${outcome} by ${rule}: ${reply.reply}`
    })
    const right = replies.length - wrong.length
    process.stdout.write(`${name}: ${right} of ${replies.length} replies read rightly\n${wrong.join('\n')}\n`)
    expect(right / replies.length).toBeGreaterThanOrEqual(share)
  })
})

describe('the rules', () => {
  test('each has a name of its own, and something that it looks for', () => {
    expect(new Set(rules.map(({ name }) => name)).size).toBe(rules.length)
    for (const { name, text, code, mx } of rules)
      expect([name, text !== undefined || (code !== undefined && mx !== undefined)]).toEqual([name, true])
  })

  // By these characters a phrase is found
  test('each phrase begins with three characters that stand as they are, in lower case, at the start of a word', () => {
    const phrases = rules.flatMap(({ text }) => text ?? [])
    expect(phrases.filter((phrase) => !/^[a-z0-9][^A-Z\\^$.|?*+()[\]{}]{2}(?![?*{])/.test(phrase))).toEqual(
      [],
    )
    // An alternative at the top would begin with something else
    const outside = phrases.map((phrase) => phrase.replace(/\((?:[^()]|\([^()]*\))*\)/g, ''))
    expect(outside.filter((phrase) => phrase.includes('|'))).toEqual([])
  })

  test.each(rules.map((rule) => [rule.name, rule] as const))('%s reads its own example', (name, rule) => {
    const mxHost = rule.mx && `mx1.${rule.mx[0]}`
    const read = classifyReply(rule.example, { mxHost })
    expect(read).toMatchObject({ category: rule.category, rule: name })
    if (rule.outcome) expect(read.outcome ?? rule.outcome).toBe(rule.outcome)
  })
})
