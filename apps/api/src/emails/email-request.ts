/** What a client may send to POST /emails and /emails/batch, in Resend's names: one schema validates and documents it. */
import { lifetimeDaysMax, lifetimeSecondsMax, parseLifetime, priorityNames } from '@postel/mail/urgency'
import { z } from 'zod'
import 'zod-openapi'
import { fieldProblem, Problem, schemaProblem } from '../problem.ts'

export const batchItemsMax = 100
const toMax = 50
const attachmentsMax = 100
const tagsMax = 50
const scheduleDaysMax = 30

const text = z.string({ error: 'must be a string.' })

/** Postgres, JSON and MIME cannot all carry these. */
const bodyText = text.refine((value) => value.isWellFormed() && !value.includes('\0'), {
  error: 'has NUL or half of a surrogate pair: remove it.',
})

const addresses = (max: number) =>
  z
    .union([z.string(), z.array(z.string())], { error: 'must be an address or an array of addresses.' })
    .transform((value) => [value].flat())
    .refine((list) => list.length <= max, { error: `must have at most ${max} addresses.` })

const manyAddresses = 32_000

/** One address or several, at least one. */
export const recipientsField = addresses(manyAddresses).refine((list) => list.length > 0, {
  error: 'must have at least one address.',
})

const ownAddress = { example: 'Ann <ann@example.com>' }

/** Bytes as base64, or as JSON.stringify writes a Node Buffer. */
const content = z
  .union(
    [
      z.string(),
      z.object({
        type: z.literal('Buffer'),
        // An array schema would make an object of each of some million bytes.
        data: z
          .custom<number[]>(isByteArray)
          .meta({ override: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 255 } } }),
      }),
    ],
    { error: 'must be base64.' },
  )
  .transform((value, context) => {
    const bytes = typeof value === 'string' ? fromBase64(value) : Buffer.from(value.data)
    if (bytes !== undefined && bytes.length > 0) return bytes
    context.addIssue({ code: 'custom', message: bytes ? 'must not be empty.' : 'must be base64.' })
    return z.NEVER
  })

const attachment = z
  .object(
    {
      content: content.optional().meta({ description: 'The bytes in base64. It or path is required.' }),
      path: text.min(1, { error: 'must not be empty.' }).optional().meta({
        description: 'A public https URL from which the bytes are fetched.',
      }),
      filename: z.union([text, z.literal(false)]).optional(),
      content_type: text.optional().meta({ example: 'application/pdf' }),
      content_id: text.optional().meta({ description: 'For `<img src="cid:…">` in the HTML.' }),
    },
    { error: 'must be an object.' },
  )
  .meta({ id: 'Attachment' })

const tagText = text.regex(/^[A-Za-z0-9_-]{1,256}$/, {
  error: 'must be 1 to 256 ASCII letters, digits, underscores or dashes.',
})
const tag = z.object({ name: tagText, value: tagText }, { error: 'must be an object with name and value.' })

export const scheduledAt = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with a time zone, like 2026-11-30T08:00:00Z.' })
  .refine((value) => Date.parse(value) <= Date.now() + scheduleDaysMax * 86_400_000, {
    error: `must be at most ${scheduleDaysMax} days ahead.`,
  })

const lifetimeProblem = `must be seconds, or like 10m, 2h or 3d: at most ${lifetimeDaysMax} days.`
/** Seconds, also as `10m`, `2h` or `3d`. */
export const lifetimeField = z
  .union([z.int().min(1).max(lifetimeSecondsMax), z.string()], { error: lifetimeProblem })
  .transform((value, context) => {
    const seconds = typeof value === 'number' ? value : parseLifetime(value)
    if (seconds !== undefined) return seconds
    context.addIssue({ code: 'custom', message: lifetimeProblem })
    return z.NEVER
  })

const template = z.object(
  {
    id: text
      .min(1, { error: 'must not be empty.' })
      .max(253, { error: 'must be an id or an alias.' })
      .refine((value) => value.isWellFormed() && !value.includes('\0'), {
        error: 'must be an id or an alias.',
      }),
    variables: z
      .record(
        z.string(),
        z.union([bodyText.max(10_000, { error: 'must have at most 10000 characters.' }), z.number()], {
          error: 'must be a string or a number.',
        }),
        { error: 'must be an object of strings and numbers.' },
      )
      .optional(),
  },
  { error: 'must be an object with id and variables.' },
)

export const emailRequest = z
  .object(
    {
      from: text.optional().meta({
        ...ownAddress,
        description: 'One mailbox of a verified domain. Required unless the template has one.',
      }),
      to: addresses(toMax)
        .refine((list) => list.length > 0, { error: 'must have at least one address.' })
        .meta({ description: `At most ${toMax}.` }),
      subject: text.optional().meta({ description: 'Required unless the template has one.' }),
      html: bodyText.optional().meta({ description: 'html, text or both are required.' }),
      text: bodyText.optional(),
      template: template.optional().meta({
        description: 'Instead of html and text: what is published of a template, with these values.',
      }),
      cc: addresses(manyAddresses).optional(),
      bcc: addresses(manyAddresses).optional(),
      reply_to: addresses(toMax).optional(),
      headers: z
        .record(z.string(), text, { error: 'must be an object of strings.' })
        .optional()
        .meta({ description: 'Further header fields.' }),
      attachments: z
        .array(attachment, { error: 'must be an array.' })
        .max(attachmentsMax, { error: `must have at most ${attachmentsMax} entries.` })
        .optional(),
      tags: z
        .array(tag, { error: 'must be an array.' })
        .max(tagsMax, { error: `must have at most ${tagsMax} entries.` })
        .optional(),
      scheduled_at: scheduledAt
        .optional()
        .meta({ description: `At most ${scheduleDaysMax} days ahead; what is in the past is sent at once.` }),
      priority: z.enum(priorityNames, { error: 'must be high, normal or low.' }).optional().meta({
        description:
          'Not in Resend: what leaves first where there is a queue. high for codes, normal for receipts, low for newsletters. Default: the priority of the project.',
      }),
      expires_in: lifetimeField.optional().meta({
        description:
          'Not in Resend: seconds (or `10m`, `2h`, `3d`) after which it is not sent any more, from scheduled_at where that is given. A longer time than the project has is cut to that.',
        example: 600,
      }),
      ip_pool: text.optional().meta({
        description:
          'Not in Resend: refused when it is not the name of the pool that the project sends from.',
      }),
    },
    { error: 'must be a JSON object.' },
  )
  .meta({ id: 'SendEmailRequest' })

export const batchRequest = z
  .array(emailRequest)
  .min(1)
  .max(batchItemsMax)
  .meta({ id: 'SendBatchRequest', description: 'Without attachments.' })

/** As it was asked for; with a template, which may have what is missing. */
export type GivenEmail = z.infer<typeof emailRequest>
export type GivenAttachment = NonNullable<GivenEmail['attachments']>[number]
export type EmailRequest = Omit<GivenEmail, 'template'> & { from: string; subject: string }

/** Reads the body of POST /emails; throws a Problem that names the first field at fault. */
export function parseEmail(body: unknown): GivenEmail {
  const cleaned = withResendNames(body)
  refuseUnsupported(cleaned)
  const templated = isRecord(cleaned) && cleaned.template !== undefined
  if (isRecord(cleaned) && !templated && cleaned.from === undefined)
    throw new Problem('missing_required_field', 'Missing `from` field.')
  const result = emailRequest.safeParse(cleaned)
  if (!result.success) throw schemaProblem(result.error, cleaned)
  const { html, text, subject } = result.data
  if (templated) {
    for (const [field, value] of Object.entries({ html, text }))
      if (value !== undefined) throw fieldProblem({ field, problem: 'The template has it: leave it out.' })
  } else {
    if (subject === undefined) throw new Problem('missing_required_field', 'Missing `subject` field.')
    if (html === undefined && text === undefined)
      throw new Problem('missing_required_field', 'Missing `html` or `text` field.')
  }
  return result.data
}

/** Reads the body of POST /emails/batch as far as it concerns all items; each is read by parseBatchItem. */
export function parseBatch(body: unknown): unknown[] {
  if (!Array.isArray(body)) throw new Problem('validation_error', 'The request body must be a JSON array.')
  if (body.length === 0 || body.length > batchItemsMax)
    throw new Problem('validation_error', `A batch has 1 to ${batchItemsMax} emails, not ${body.length}.`)
  return body
}

export function parseBatchItem(item: unknown): GivenEmail {
  const email = parseEmail(item)
  if (email.attachments !== undefined && email.attachments.length > 0)
    throw new Problem(
      'invalid_attachment',
      'Attachments are not supported in a batch: send the email on its own.',
    )
  return email
}

const aliases = new Map([
  ['replyTo', 'reply_to'],
  ['scheduledAt', 'scheduled_at'],
  ['topicId', 'topic_id'],
  ['contentType', 'content_type'],
  ['contentId', 'content_id'],
  ['expiresIn', 'expires_in'],
  ['ipPool', 'ip_pool'],
])

/** Takes the camelCase names of Resend's SDKs for the others, and a null for a field that is not there unless it is to be kept. */
export function withResendNames(value: unknown, { keepNull = false } = {}): unknown {
  if (!isRecord(value)) return value
  const renamed = renameKeys(value, keepNull)
  if (Array.isArray(renamed.attachments))
    renamed.attachments = renamed.attachments.map((item: unknown) =>
      isRecord(item) ? renameKeys(item) : item,
    )
  return renamed
}

function renameKeys(value: Record<string, unknown>, keepNull = false): Record<string, unknown> {
  const renamed = new Map<string, unknown>()
  for (const [key, entry] of Object.entries(value)) {
    const name = aliases.get(key) ?? key
    if ((entry !== null || keepNull) && (name === key || !renamed.has(name))) renamed.set(name, entry)
  }
  return Object.fromEntries(renamed)
}

/** What would change the mail if it were ignored is refused. */
function refuseUnsupported(email: unknown): void {
  if (!isRecord(email)) return
  if (Object.hasOwn(email, 'topic_id'))
    throw fieldProblem({ field: 'topic_id', problem: 'It is not supported: leave it out.' })
  if (!Array.isArray(email.attachments)) return
  for (const [index, item] of email.attachments.entries())
    if (isRecord(item)) {
      if (Object.hasOwn(item, 'href'))
        throw fieldProblem({
          field: `attachments[${index}].href`,
          problem: 'It is not supported: give the URL in `path`, or the bytes in `content`.',
        })
      const both = Object.hasOwn(item, 'path') && Object.hasOwn(item, 'content')
      if (both)
        throw fieldProblem({
          field: `attachments[${index}].path`,
          problem: 'Give it or `content`, not both.',
        })
      if (!Object.hasOwn(item, 'path') && !Object.hasOwn(item, 'content'))
        throw new Problem('missing_required_field', `Missing \`attachments[${index}].content\` field.`)
    }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isByteArray(value: unknown): boolean {
  return Array.isArray(value) && value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255)
}

/** Line breaks pass, as some languages' encoders make them; anything else that is not base64 gives undefined. */
function fromBase64(value: string): Buffer | undefined {
  const packed = /[\r\n]/.test(value) ? value.replace(/[\r\n]+/g, '') : value
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(packed)) return undefined
  return Buffer.from(packed, 'base64')
}
