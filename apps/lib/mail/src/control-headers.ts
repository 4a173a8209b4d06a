/** The headers that tell the MTA what to do with a message: ours, and other services' names for the same. */
import { lifetimeDaysMax, parseLifetime, parsePriority } from './urgency.ts'

/** What a client asked for in headers. `metadata` has a null prototype; text is as sent, `sendAt` included. */
export type Control = {
  tags: { name: string; value: string }[]
  metadata: Record<string, string>
  pool?: string
  sendAt?: string
  idempotencyKey?: string
  /** Of the queue: see urgency.ts. */
  priority?: number
  expiresInSeconds?: number
}

const limits = { tags: 50, tagCharacters: 256, metadata: 50, keyCharacters: 100, valueCharacters: 1_000 }
const ownPrefix = 'x-postel-'
const metadataPrefixes = ['x-postel-metadata-', 'x-pm-metadata-']
const tagForm = /^([\w-]{1,256})=(.*)$/
const givenTwice = 'a pool, send-at, priority, expires-in or idempotency-key header is given twice'
const controlCharacters = /\p{Cc}/u

const readers = new Map<string, (control: Control, value: string) => string | undefined>([
  ['x-postel-tag', (control, value) => addTag(control, value)],
  ['x-pm-tag', (control, value) => addTag(control, value)],
  ['x-mailgun-tag', (control, value) => addTag(control, value)],
  ['x-postal-tag', (control, value) => addTag(control, value)],
  ['x-ses-message-tags', addTagList],
  ['x-mailgun-variables', addJsonMetadata],
  ['x-smtpapi', addSmtpApi],
  ['x-postel-pool', (control, value) => setOnce(control, 'pool', value)],
  ['x-postel-send-at', (control, value) => setOnce(control, 'sendAt', value)],
  ['x-postel-idempotency-key', (control, value) => setOnce(control, 'idempotencyKey', value)],
  ['x-postel-priority', setPriority],
  ['x-postel-expires-in', setLifetime],
  ['resend-idempotency-key', (control, value) => setOnce(control, 'idempotencyKey', value)],
])

/** Nothing asked for. */
export function emptyControl(): Control {
  return { tags: [], metadata: Object.create(null) as Record<string, string> }
}

/** Whether a field, its name in lower case, is for the MTA alone and must not leave it. */
export function isControlHeader(name: string): boolean {
  return readers.has(name) || name.startsWith(ownPrefix) || name.startsWith('x-pm-metadata-')
}

/**
 * Adds to `control` what one control field says; `name` is as sent, `value` unfolded and decoded. Returns why the
 * field is not acceptable (not JSON, over a limit, given twice), or undefined. Unknown `X-Postel-*` are ignored.
 */
export function readControlHeader(control: Control, name: string, value: string): string | undefined {
  const lower = name.toLowerCase()
  const reader = readers.get(lower)
  if (reader) return reader(control, value)
  const prefix = metadataPrefixes.find((candidate) => lower.startsWith(candidate))
  return prefix === undefined ? undefined : addMetadata(control, name.slice(prefix.length), value)
}

function addTag(control: Control, text: string, defaultName = 'tag'): string | undefined {
  const [, name = defaultName, value = text] = tagForm.exec(text) ?? []
  if (value === '') return undefined
  if (value.length > limits.tagCharacters) return `a tag is longer than ${limits.tagCharacters} characters`
  if (control.tags.length === limits.tags) return `more than ${limits.tags} tags`
  control.tags.push({ name, value })
  return undefined
}

function addTagList(control: Control, list: string): string | undefined {
  for (const item of list.split(',', limits.tags + 1)) {
    const problem = addTag(control, item.trim())
    if (problem) return problem
  }
  return undefined
}

function addMetadata(control: Control, key: string, value: unknown): string | undefined {
  const text = asText(value)
  if (text === undefined) return 'a metadata value is nested too deeply'
  if (key === '' || key.length > limits.keyCharacters || controlCharacters.test(key)) {
    return `a metadata key is empty, longer than ${limits.keyCharacters} characters, or has control characters`
  }
  if (text.length > limits.valueCharacters) {
    return `a metadata value is longer than ${limits.valueCharacters} characters`
  }
  if (text.includes('\0')) return 'a metadata value has a NUL character'
  control.metadata[key] = text
  const count = Object.keys(control.metadata).length
  return count > limits.metadata ? `more than ${limits.metadata} metadata values` : undefined
}

function addJsonMetadata(control: Control, json: string): string | undefined {
  const variables = parseObject(json)
  if (variables === undefined) return 'X-Mailgun-Variables is not a JSON object of at most 10,000 characters'
  return addAllMetadata(control, variables)
}

function addSmtpApi(control: Control, json: string): string | undefined {
  const settings = parseObject(json)
  if (settings === undefined) return 'X-SMTPAPI is not a JSON object of at most 10,000 characters'
  for (const category of [settings.category ?? []].flat()) {
    if (typeof category !== 'string' || controlCharacters.test(category)) {
      return 'a category in X-SMTPAPI is not plain text'
    }
    const problem = addTag(control, category, 'category')
    if (problem) return problem
  }
  const { unique_args: uniqueArguments } = settings
  return isObject(uniqueArguments) ? addAllMetadata(control, uniqueArguments) : undefined
}

function addAllMetadata(control: Control, values: Record<string, unknown>): string | undefined {
  for (const [key, value] of Object.entries(values)) {
    const problem = addMetadata(control, key, value)
    if (problem) return problem
  }
  return undefined
}

function setOnce(
  control: Control,
  key: 'pool' | 'sendAt' | 'idempotencyKey',
  value: string,
): string | undefined {
  if (control[key] !== undefined) return givenTwice
  if (value.length > 256) return 'a pool, send-at or idempotency-key header is longer than 256 characters'
  if (value !== '') control[key] = value
  return undefined
}

function setPriority(control: Control, value: string): string | undefined {
  if (control.priority !== undefined) return givenTwice
  const priority = parsePriority(value)
  if (priority === undefined) return 'X-Postel-Priority must be high, normal or low'
  control.priority = priority
  return undefined
}

function setLifetime(control: Control, value: string): string | undefined {
  if (control.expiresInSeconds !== undefined) return givenTwice
  const seconds = parseLifetime(value)
  if (seconds === undefined) {
    return `X-Postel-Expires-In must be like 600, 10m, 2h or 3d: at least a second, at most ${lifetimeDaysMax} days`
  }
  control.expiresInSeconds = seconds
  return undefined
}

/** A string as it is, anything else as JSON; undefined where JSON.stringify runs out of stack. */
function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
