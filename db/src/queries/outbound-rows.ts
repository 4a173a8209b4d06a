/** Queue rows as an outbound process reads them: small descriptors, and whole messages with their bodies. */
import { zstdDecompressSync } from 'node:zlib'

/** A queue row as it is kept in memory: enough to schedule it, nothing of its content. */
export type Descriptor = {
  id: number
  ipId: number
  projectId: string
  domain: string
  priority: number
  sizeBytes: number
  messageId: string
}

/** A queue row with all that is needed to send it. */
export type LoadedMessage = Descriptor & {
  attempts: number
  /** deliveries.number of each recipient, and its address at the same position. */
  numbers: number[]
  recipients: string[]
  envelopeFrom: string
  signingDomain: string | null
  details: MessageDetails | null
  /** See test-mail.ts. */
  test: boolean
  raw: Buffer
}

/** messages.details as far as sending needs it. */
export type MessageDetails = {
  eight_bit?: boolean
  smtp_utf8?: boolean
  require_tls?: boolean
  /** Of its submission, where that was traced. */
  traceparent?: string
  dsn?: { ret?: string; envid?: string; recipients: Record<string, { notify?: string; orcpt?: string }> }
}

// The plan is kept, and may have been made while the queue was empty: joined freely, 10,000 rows would then be read for each
// batch (360 to 1,800 ms measured, against 6). So it is said here what is looked up by what; `order by` names the key.
// Only types that pg reads right in binary: text, int4, bytea and arrays of them (its float8 loses digits).
export const loadStatement = {
  name: 'load',
  text: `
    select
      q.id::text as id, q.ip_id, q.project_id::text as project_id, q.domain, q.priority::int4 as priority, q.size_bytes, q.message_id::text as message_id,
      q.attempts::int4 as attempts, q.numbers::int4[] as numbers, q.recipients, m.envelope_from, m.signing_domain, m.test::int4 as test,
      m.details::text as details, b.encoding::int4 as encoding, b.body
    from unnest($1::int[], $2::bigint[]) as w (ip_id, id)
    cross join lateral (
      select * from postel.queue q
      where q.ip_id = w.ip_id and q.id between w.id and w.id
      order by q.id
      limit 1
    ) as q
    cross join lateral (
      select * from postel.messages m where m.id = q.message_id and m.id between $3 and $4 offset 0
    ) as m
    cross join lateral (
      select * from postel.message_bodies b where b.message_id = q.message_id and b.message_id between $3 and $4 offset 0
    ) as b
    where q.expires_at > clock_timestamp()`,
}

// The bounds only spare opening every day's partition: a row whose message lies outside them comes without its body.
export const takeStatement = {
  name: 'take',
  text: `
    select
      q.id::text as id, q.ip_id, q.project_id::text as project_id, q.domain, q.priority::int4 as priority, q.size_bytes, q.message_id::text as message_id,
      q.attempts::int4 as attempts, q.numbers::int4[] as numbers, q.recipients, m.envelope_from, m.signing_domain, m.test::int4 as test,
      m.details::text as details, b.encoding::int4 as encoding, b.body
    from unnest($1::int[], $2::bigint[]) as c (ip_id, after)
    cross join lateral (
      select * from postel.queue q
      where q.ip_id = c.ip_id and q.id > c.after
      order by q.id
      limit $3
    ) as q
    left join lateral (
      select * from postel.messages m where m.id = q.message_id and m.id between $4 and $5 offset 0
    ) as m on true
    left join lateral (
      select * from postel.message_bodies b
      where b.message_id = m.id and b.message_id between $4 and $5
        and q.size_bytes <= 262144 and q.expires_at > clock_timestamp()
      offset 0
    ) as b on true
    order by q.id`,
}

export type LoadRow = {
  id: string
  ip_id: number
  project_id: string
  domain: string
  priority: number
  size_bytes: number
  message_id: string
  attempts: number
  numbers: number[]
  recipients: string[]
  envelope_from: string
  signing_domain: string | null
  test: number
  details: string | null
  encoding: number
  body: Buffer
}

/** The smallest UUIDv7 of a moment (milliseconds since 1970). */
export function uuidFloor(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
}

export function toDescriptor(row: LoadRow): Descriptor {
  return {
    id: Number(row.id),
    ipId: row.ip_id,
    projectId: row.project_id,
    domain: row.domain,
    priority: row.priority,
    sizeBytes: row.size_bytes,
    messageId: row.message_id,
  }
}

export function toMessage(row: LoadRow): LoadedMessage {
  return {
    ...toDescriptor(row),
    attempts: row.attempts,
    numbers: row.numbers,
    recipients: row.recipients,
    envelopeFrom: row.envelope_from,
    signingDomain: row.signing_domain,
    test: row.test === 1,
    details: row.details === null ? null : (JSON.parse(row.details) as MessageDetails),
    raw: row.encoding === 1 ? zstdDecompressSync(row.body, { chunkSize: row.size_bytes + 64 }) : row.body,
  }
}
