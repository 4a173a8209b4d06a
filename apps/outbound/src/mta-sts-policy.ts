/** Reads MTA-STS records and policies (RFC 8461 §3) strictly: what is not a policy is none. */

export type StsPolicy = {
  /** Of the TXT record that it was fetched for. */
  id: string
  mode: 'enforce' | 'testing' | 'none'
  /** Lower-case host names, or `*.example.com` for one label below. */
  mx: readonly string[]
  maxAgeSeconds: number
}

const maxAgeMax = 31_557_600
const mxMax = 100
const lineMax = 1_000

/** The id of a domain's one MTA-STS record; undefined without one (RFC 8461 §3.1). */
export function readStsRecord(records: readonly string[]): string | undefined {
  const ours = records.filter((text) => /^v=STSv1\s*;/.test(text))
  if (ours.length !== 1) return undefined
  const fields = ours[0]!
    .split(';')
    .map((field) => field.trim())
    .filter((field) => field !== '')
  const ids = fields.filter((field) => field.startsWith('id='))
  return ids.length === 1 ? /^id=([A-Za-z0-9]{1,32})$/.exec(ids[0]!)?.[1] : undefined
}

/** The policy that a file states, or undefined when it is not one (RFC 8461 §3.2). */
export function parseStsPolicy(text: string, id: string): StsPolicy | undefined {
  const fields = new Map<string, string>()
  const mx: string[] = []
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') continue
    // Each line is looked at once, however a stranger has filled it: the file is read anew at each start
    if (line.length > lineMax) return undefined
    const colon = line.indexOf(':')
    const key = line.slice(0, Math.max(colon, 0)).trimEnd()
    const value = line.slice(colon + 1).trim()
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/.test(key)) return undefined
    if (key === 'mx') mx.push(value.toLowerCase())
    // Of a field that is there twice the first counts
    else if (!fields.has(key)) fields.set(key, value)
  }
  const mode = fields.get('mode')
  const maxAge = fields.get('max_age') ?? ''
  if (fields.get('version') !== 'STSv1') return undefined
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return undefined
  if (!/^\d{1,10}$/.test(maxAge)) return undefined
  if (mx.length > mxMax || !mx.every(isPattern)) return undefined
  if (mode !== 'none' && mx.length === 0) return undefined
  return { id, mode, mx, maxAgeSeconds: Math.min(Number(maxAge), maxAgeMax) }
}

/** Whether a mail exchanger is one that the policy names (RFC 8461 §4.1). */
export function coversHost(policy: StsPolicy, host: string): boolean {
  const name = host.toLowerCase()
  return policy.mx.some((pattern) =>
    pattern.startsWith('*.')
      ? name.slice(name.indexOf('.')) === pattern.slice(1) && name.includes('.')
      : name === pattern,
  )
}

function isPattern(text: string): boolean {
  return /^(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(
    text,
  )
}
