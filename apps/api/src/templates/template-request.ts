/** What a client may send to /templates, in Resend's names. */
import { randomUUID } from 'node:crypto'
import type { TemplateContent, TemplateVariable } from '@postel/db/queries/templates'
import { z } from 'zod'
import 'zod-openapi'
import { withResendNames } from '../emails/email-request.ts'
import type { Body } from '../endpoint.ts'
import { nameField } from '../fields.ts'
import { bodyOf } from '../parse-with.ts'
import { variableKey } from './variables.ts'

const textCharactersMax = 500_000
const variablesMax = 50

const content = z
  .string({ error: 'must be a string.' })
  .max(textCharactersMax, { error: `must have at most ${textCharactersMax} characters.` })
  .refine((value) => value.isWellFormed() && !value.includes('\0'), {
    error: 'has NUL or half of a surrogate pair: remove it.',
  })
const line = z
  .string({ error: 'must be a string.' })
  .max(998, { error: 'must have at most 998 characters.' })
  .refine((value) => value.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value), {
    error: 'has control characters or line breaks: remove them.',
  })
const alias = z
  .string({ error: 'must be a string.' })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
    error:
      'must be 1 to 100 ASCII letters, digits, dots, dashes or underscores, the first a letter or digit.',
  })
  .refine((value) => !z.guid().safeParse(value).success, { error: 'must not look like an id.' })
const replyTo = z
  .union([line, z.array(line).max(50)], { error: 'must be an address or an array of addresses.' })
  .transform((value) => [value].flat())

const variable = z
  .object(
    {
      key: z.string({ error: 'must be a string.' }).regex(variableKey, {
        error: 'must be 1 to 50 ASCII letters, digits or underscores, the first a letter.',
      }),
      type: z.enum(['string', 'number'], { error: 'must be string or number.' }),
      fallback_value: z.union([content.max(2_000), z.number()]).nullish(),
      fallbackValue: z
        .union([content.max(2_000), z.number()])
        .nullish()
        .meta({ deprecated: true }),
    },
    { error: 'must be an object.' },
  )
  .transform(({ key, type, fallback_value, fallbackValue }, context) => {
    const fallback = fallback_value ?? fallbackValue ?? null
    if (fallback === null || typeof fallback === type) return { key, type, fallback_value: fallback }
    context.addIssue({ code: 'custom', message: `must be a ${type}.`, path: ['fallback_value'] })
    return z.NEVER
  })
const variables = z
  .array(variable, { error: 'must be an array.' })
  .max(variablesMax, { error: `must have at most ${variablesMax} entries.` })
  .refine((list) => new Set(list.map(({ key }) => key)).size === list.length, {
    error: 'has a key twice.',
  })

const optional = {
  alias: alias.nullish().meta({ description: 'A name for it in requests, beside its id.' }),
  from: line.nullish(),
  subject: line.nullish(),
  reply_to: replyTo.nullish(),
  text: content.nullish(),
  variables: variables.nullish().meta({
    description:
      'Those of `{{{KEY}}}` in subject, html and text that have a type or a fallback value. Others are strings that each email must have.',
  }),
}
const notObject = { error: 'must be a JSON object.' }

export const createRequest = z
  .object({ name: nameField, html: content, ...optional }, notObject)
  .meta({ id: 'CreateTemplateRequest' })
export const updateRequest = z
  .object({ name: nameField.optional(), html: content.optional(), ...optional }, notObject)
  .meta({ id: 'UpdateTemplateRequest', description: 'What is not given stays; null removes.' })

export const createBody = named(bodyOf(createRequest, { maxBytes: 4 * textCharactersMax }))
export const updateBody = named(bodyOf(updateRequest, { maxBytes: 4 * textCharactersMax }))

/** SDKs say some names in camelCase. */
function named<Input>(body: Body<Input>): Body<Input> {
  return { ...body, parse: (given) => body.parse(withResendNames(given, { keepNull: true })) }
}

type Change = z.infer<typeof updateRequest>

/** The draft after a change, in a version of its own. */
export function changedDraft(change: Change, former?: TemplateContent): TemplateContent {
  const given = <Field extends 'from' | 'subject' | 'reply_to' | 'text'>(field: Field) =>
    (change[field] === undefined ? (former?.[field] ?? null) : change[field]) as TemplateContent[Field]
  return {
    version: randomUUID(),
    from: given('from'),
    subject: given('subject'),
    reply_to: given('reply_to'),
    html: change.html ?? former?.html ?? '',
    text: given('text'),
    variables:
      change.variables === undefined
        ? (former?.variables ?? [])
        : (change.variables ?? []).map((each) => withTimes(each, former?.variables)),
  }
}

function withTimes(
  variable: Pick<TemplateVariable, 'key' | 'type' | 'fallback_value'>,
  former: readonly TemplateVariable[] = [],
): TemplateVariable {
  const now = new Date().toISOString().replace('T', ' ').replace('Z', '+00')
  const before = former.find(({ key }) => key === variable.key)
  const same = before?.type === variable.type && before.fallback_value === variable.fallback_value
  return {
    ...variable,
    created_at: before?.created_at ?? now,
    updated_at: before && same ? before.updated_at : now,
  }
}
