/** The variables of templates: `{{{NAME}}}` in subject, html and text. */
import type { TemplateVariable } from '@postel/db/queries/templates'
import { escapeHtml } from '../html.ts'

export const variableKey = /^[A-Za-z][A-Za-z0-9_]{0,49}$/
const place = /\{\{\{\s*([A-Za-z][A-Za-z0-9_]{0,49})\s*\}\}\}/g

export type Values = Readonly<Record<string, string | number>>

/** Why a message cannot be made of a template: a sentence. */
export class VariableError extends Error {
  override name = 'VariableError'
}

type Texts = { subject: string | null; html: string; text: string | null }

/**
 * The texts with each variable's value, or its fallback, in its place; in HTML as text, so that no value adds markup. One
 * that is not declared is a string without a fallback. Values are not looked through for variables.
 * Throws VariableError for one that has no value, or one of another type.
 */
export function fill<Given extends Texts>(
  texts: Given,
  variables: readonly TemplateVariable[],
  values: Values,
): Given {
  const declared = new Map(variables.map((variable) => [variable.key, variable]))
  const valueFor = (key: string): string => {
    const { type = 'string', fallback_value: fallback = null } = declared.get(key) ?? {}
    const value = Object.hasOwn(values, key) ? values[key]! : fallback
    if (value === null) throw new VariableError(`The template needs a value for the variable \`${key}\`.`)
    if (type === 'number' && typeof value !== 'number')
      throw new VariableError(`The template's variable \`${key}\` must be a number.`)
    return String(value)
  }
  const filled = (text: string, written: (value: string) => string) =>
    text.replace(place, (_, key: string) => written(valueFor(key)))
  const plain = (text: string | null) => text && filled(text, (value) => value)
  return {
    ...texts,
    subject: plain(texts.subject),
    html: filled(texts.html, escapeHtml),
    text: plain(texts.text),
  }
}
