/** Reads a remote reply: operator's rules → the table's rules → codes and stage. Pure, and linear in the reply. */
import { isReplyCategory, type ReplyCategory } from './reply-categories.ts'
import { categoryOfCodes, fitToStage, isTemporaryDespiteCode } from './reply-codes.ts'
import { findRule, isBelow } from './reply-rule-finder.ts'
import type { SmtpStage } from './reply-rules.ts'

/** An operator's rule, ready to be applied. */
export type CompiledReplyRule = {
  name: string
  mx: string | undefined
  pattern: RegExp
  category: ReplyCategory
  outcome: 'deferred' | 'bounced' | undefined
}

/** A row of reply_rules. */
export type ReplyRuleRow = {
  id?: number
  position: number
  mx: string | null
  pattern: string
  category: string
  outcome: string | null
}

export type ReplyContext = {
  /** Who answered: many codes mean something only from one provider. */
  mxHost?: string | undefined
  stage?: SmtpStage | undefined
  operatorRules?: readonly CompiledReplyRule[] | undefined
}

export type Classification = {
  category: ReplyCategory
  /** Where it is not what the first digit says. */
  outcome?: 'deferred' | 'bounced'
  /** The rule that applied; undefined where the codes decided. */
  rule?: string
}

const maxRead = 2_000
const maxPattern = 500
const nextLine = /\s*[\r\n]+(?:\d{3}(?:[- ]|$))?(?:#?[245]\.\d{1,3}\.\d{1,3} )?\s*/gm
const firstCodes = /^([2-5]\d\d)(?:[- ]+[(#[]*([245])\.(\d{1,3}\.\d{1,3})(?![\d.]*\d)|[- ]|$)/
const laterCode = /(?:^|[\s(#])[245]\.(\d{1,3}\.\d{1,3})(?![\d.]*\d)/
const repeatedGroup = /(?<!\\)\)[+*{]/

/** What a reply means. Any text is taken; 2,000 characters of it are read. */
export function classifyReply(reply: string, context: ReplyContext = {}): Classification {
  const { stage, operatorRules } = context
  const mxHost = context.mxHost && hostName(context.mxHost)
  const read = reply.length > maxRead ? reply.slice(0, maxRead) : reply
  const codes = firstCodes.exec(read)
  const code = codes ? Number(codes[1]) : 0

  for (const rule of operatorRules ?? []) {
    if (rule.mx !== undefined && !isBelow(mxHost, rule.mx)) continue
    if (!rule.pattern.test(read)) continue
    const { name, category, outcome } = rule
    return { category, ...(outcome && outcome !== usual(code) && { outcome }), rule: name }
  }

  const text = wording(read)
  const rule = code >= 400 ? findRule(text, codesText(codes), mxHost) : undefined
  const category = fitToStage(
    rule?.category ?? categoryOfCodes(code, codes?.[3] ?? laterCode.exec(text)?.[1], stage),
    stage,
  )
  const outcome =
    rule?.outcome ?? (isTemporaryDespiteCode(code, category, stage, text) ? 'deferred' : usual(code))
  return { category, ...(outcome !== usual(code) && { outcome }), ...(rule && { rule: rule.name }) }
}

/**
 * Makes operator's rows ready, in the order of their positions. Patterns look at the reply as it came, in any case. A row
 * whose pattern is no regular expression, is longer than 500 characters or repeats a group (`(a|aa)+` can take for ever),
 * or whose category or outcome is unknown, is left out and told to `onSkipped`.
 */
export function compileReplyRules(
  rows: readonly ReplyRuleRow[],
  onSkipped: (row: ReplyRuleRow, reason: string) => void,
): CompiledReplyRule[] {
  const sorted = rows.toSorted((a, b) => a.position - b.position || (a.id ?? 0) - (b.id ?? 0))
  return sorted.flatMap((row): CompiledReplyRule[] => {
    const skip = (reason: string) => {
      onSkipped(row, reason)
      return []
    }
    const { category, outcome } = row
    if (!isReplyCategory(category)) return skip(`the category ${category} is unknown`)
    if (outcome !== null && outcome !== 'deferred' && outcome !== 'bounced')
      return skip(`the outcome ${outcome} is unknown`)
    if (row.pattern.length > maxPattern) return skip(`the pattern is longer than ${maxPattern} characters`)
    if (repeatedGroup.test(row.pattern)) return skip('the pattern repeats a group')
    try {
      return [
        {
          name: row.id === undefined ? 'operator' : `operator-${row.id}`,
          mx: row.mx?.toLowerCase().replace(/^\*?\.|\.$/g, ''),
          pattern: new RegExp(row.pattern, 'i'),
          category,
          outcome: outcome ?? undefined,
        },
      ]
    } catch {
      return skip('the pattern is no regular expression')
    }
  })
}

function hostName(host: string): string {
  return (host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase()
}

/** The reply in lower case on one line, without the codes that begin its further lines. */
function wording(reply: string): string {
  let text = reply.toLowerCase()
  if (text.includes('\n') || text.includes('\r')) text = text.replace(nextLine, ' ')
  if (text.includes('  ') || text.includes('\t')) text = text.replace(/[ \t]+/g, ' ')
  return text.includes('’') ? text.replaceAll('’', "'") : text
}

function codesText(codes: RegExpExecArray | null): string {
  if (!codes) return ''
  return codes[3] === undefined ? (codes[1] as string) : `${codes[1]} ${codes[2]}.${codes[3]}`
}

function usual(code: number): 'deferred' | 'bounced' {
  return code >= 500 ? 'bounced' : 'deferred'
}
