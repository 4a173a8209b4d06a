/**
 * The group commit: submissions of all sessions of a process join one INSERT. Each writer connection has one batch in
 * flight; what arrives meanwhile is the next batch, so batches grow with load, and a lone message waits for nobody.
 * A promise resolves only after COMMIT with synchronous_commit=on.
 */
import { constants, zstdCompressSync } from 'node:zlib'
import type { Tracing } from '@postel/runtime/tracing'
import { type Admission, AdmissionError, type Admitted } from './admission.ts'
import { BodyClient } from './body-client.ts'
import { databaseFault, isEndedBlock, NoAnswerError } from './errors.ts'
import { testDomain, testKeyPrefix } from './test-mail.ts'

/** A message ready to be stored: checked, normalised, its sender allowed. */
export type Submission = {
  organizationId: string
  projectId: string
  /** `system`: of Postel itself, with links that nobody but the recipient may see. */
  source: 'smtp' | 'rest' | 'system'
  /** Empty for the null sender. */
  envelopeFrom: string
  /** The verified domain whose DKIM keys sign it. */
  signingDomain: string | null
  messageIdHeader: string
  headerFrom: string
  subject: string
  /** Anything to give back later: to, cc, bcc, reply_to, tags. */
  details?: object
  /** 0 to 100, lower leaves first; its project's where it has none of its own. */
  priority?: number
  /** How long after it is accepted (or after sendAt) it is worth sending; its project's limit holds as well. */
  expiresInSeconds?: number
  /** Not before this moment. */
  sendAt?: Date
  /** The key or password that submits it, whose rate may be limited. */
  keyId?: string
  /** It goes to the sandbox mailbox, whatever the delivery mode. Counts against no limit. */
  test?: boolean
  /** The traceparent of what submits it, where that is traced. */
  trace?: string
  recipients: readonly { address: string; domain: string }[]
  /** The MIME message: CRLF line ends, no Bcc. */
  raw: Buffer
}

/** Why a submission was not stored. Nothing of it is in the database, unless the link broke during COMMIT. */
export class SubmitError extends Error {
  override name = 'SubmitError'
  readonly fault: 'data' | 'full' | 'unavailable' | 'overloaded'
  constructor(fault: SubmitError['fault'], message: string, cause?: unknown) {
    super(message, { cause })
    this.fault = fault
  }
}

export type SubmitterOptions = {
  url: string
  name: string
  /** Called after each commit with the IPs that have new work and with when scheduled mail becomes due. */
  onStored: (ipIds: number[], due: Date[]) => void
  /** Decides what is let in; without it everything is. Whoever made it stops it, after the Submitter. */
  admission?: Admission
  /** Where traces are taken. */
  tracing?: () => Tracing | undefined
  /** Connections that write at once. Default 2: more only makes the batches smaller. */
  writers?: number
  /** Default 20,000 ms: a statement that takes longer is cancelled. */
  statementTimeoutMs?: number
}

export type OnceOutcome = { outcome: 'stored' | 'repeated'; ids: string[] } | { outcome: 'conflict' }

/** With what the client adds for the answer, whoever submits knows within 30 s. */
const defaultStatementTimeoutMs = 20_000
const batchMessagesMax = 200
const batchBytesMax = 8 * 1024 * 1024
/** A further writer starts only on a batch of this size: a statement costs as much as ten messages in it. */
const secondWriterMessages = 32
const secondWriterBytes = 512 * 1024
/** Smaller batches start no more often than every 5 ms (measured at 500 messages/s: half the CPU of Postgres for each). */
const fullEnough = 16
const smallBatchEveryMs = 5
/** … or when the first has not answered for this long: its link may be dead. */
const secondWriterAfterMs = 100
/** Messages in memory until they are answered; beyond it new ones are refused. */
const heldBytesMax = 256 * 1024 * 1024
/** Shorter bodies fit into a page of Postgres as they are; compressing them would cost more CPU than it saves. */
const compressFromBytes = 7_900

const submitBatch = {
  name: 'submit_batch',
  text: 'select b.message_ids::text[], b.ip_ids, b.due from postel.submit_batch($1::json, $2::bytea) as b',
}
const submitOnce = {
  name: 'submit_once',
  text: `select o.outcome, o.message_ids::text[], o.ip_ids, o.due
         from postel.submit_once($1::uuid, $2::text, $3::bytea, $4::json, $5::bytea) as o`,
}

/** What submit_once would find: the same answer for as long. */
const findOnce = {
  name: 'find_once',
  text: `select k.request_hash = $3::bytea as same, k.message_ids::text[]
         from postel.idempotency_keys k
         where k.project_id = $1::uuid and k.key = $2::text and k.created_at >= clock_timestamp() - interval '24 hours'`,
}

type StoredRow = { message_ids: string[]; ip_ids: number[] | null; due: Date[] | null }

type Pending = {
  json: string
  body: Buffer
  resolve: (id: string) => void
  reject: (error: SubmitError) => void
}

export class Submitter {
  readonly #options: SubmitterOptions
  readonly #idle: BodyClient[]
  readonly #writers: BodyClient[]
  readonly #once: BodyClient
  #pending: Pending[] = []
  #pendingBytes = 0
  /** Messages in memory, in full, until they are answered. */
  #heldBytes = 0
  /** When a writer was last given a batch. */
  #startedAt = Number.NEGATIVE_INFINITY
  #patience: NodeJS.Timeout | undefined
  #inFlight = new Set<Promise<void>>()
  #stopped = false

  constructor(options: SubmitterOptions) {
    this.#options = options
    const client = (role: string) =>
      new BodyClient({
        url: options.url,
        name: `${options.name}-${role}`,
        statementTimeoutMs: options.statementTimeoutMs ?? defaultStatementTimeoutMs,
        settings: { synchronous_commit: 'on' },
      })
    this.#writers = Array.from({ length: options.writers ?? 2 }, () => client('writer'))
    this.#idle = [...this.#writers]
    this.#once = client('once')
  }

  /** Stores one message; resolves with its id after the commit, rejects with AdmissionError or SubmitError. */
  submit(submission: Submission): Promise<string> {
    return this.#admitted([submission], (block, trace) => {
      const { json, body } = encode(submission, block, trace)
      return new Promise((resolve, reject) => {
        if (this.#stopped) return reject(new SubmitError('unavailable', 'the server is stopping'))
        this.#pending.push({ json, body, resolve, reject })
        this.#pendingBytes += body.length
        this.#next()
      })
    })
  }

  /** Stores several messages of one project in one transaction, all or none; ids in the order given. */
  submitAll(submissions: readonly Submission[]): Promise<string[]> {
    return this.#admitted(submissions, async (block, trace) => {
      const { json, body } = join(submissions.map((submission) => encode(submission, block, trace)))
      try {
        const [row] = await this.#once.query<StoredRow>(submitBatch, [json, body])
        this.#report(row!)
        return row!.message_ids
      } catch (error) {
        throw asSubmitError(error)
      }
    })
  }

  /**
   * Stores messages of one project under an idempotency key, in one transaction. The same key with the same hash gives the ids of the
   * first time, also to callers at the same moment; with another hash it is a conflict.
   */
  async submitOnce(
    key: string,
    requestHash: Buffer,
    submissions: readonly Submission[],
  ): Promise<OnceOutcome> {
    const { projectId, test } = submissions[0]!
    const storedKey = test ? testKeyPrefix + key : key
    const store = async (block: string | null, trace: string | undefined): Promise<OnceOutcome> => {
      const { json, body } = join(submissions.map((submission) => encode(submission, block, trace)))
      try {
        const [row] = await this.#once.query<StoredRow & { outcome: 'stored' | 'repeated' | 'conflict' }>(
          submitOnce,
          [projectId, storedKey, requestHash, json, body],
        )
        if (row!.outcome === 'conflict') return { outcome: 'conflict' }
        if (row!.outcome === 'stored') this.#report(row!)
        return { outcome: row!.outcome, ids: row!.message_ids }
      } catch (error) {
        throw asSubmitError(error)
      }
    }
    try {
      return await this.#admitted(submissions, store, ({ outcome }) => outcome === 'stored')
    } catch (error) {
      // A repetition asks for no more than it has: limits do not hide its answer
      if (!(error instanceof AdmissionError)) throw error
      const [known] = await this.#once
        .query<{ same: boolean; message_ids: string[] }>(findOnce, [projectId, storedKey, requestHash])
        .catch(() => [])
      if (!known) throw error
      return known.same ? { outcome: 'repeated', ids: known.message_ids } : { outcome: 'conflict' }
    }
  }

  /** Finishes the batches in flight, refuses what still waits, closes the connections. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#patience)
    this.#refusePending(new SubmitError('unavailable', 'the server is stopping'))
    await Promise.all(this.#inFlight)
    await Promise.all([...this.#writers, this.#once].map((client) => client.stop()))
  }

  /** Stores what the limits let in, and tells them what became of it; where it is traced, in a span of its own. */
  #admitted<T>(
    submissions: readonly Submission[],
    store: (block: string | null, trace: string | undefined) => Promise<T>,
    isStored?: (outcome: T) => boolean,
  ): Promise<T> {
    const parent = submissions[0]!.trace
    const tracing = parent === undefined ? undefined : this.#options.tracing?.()
    if (!tracing) return this.#limited(submissions, (block) => store(block, undefined), isStored)
    const span = tracing.start('store', {
      kind: 'internal',
      parent,
      attributes: { 'postel.project.id': submissions[0]!.projectId, 'postel.messages': submissions.length },
    })
    const stored = this.#limited(submissions, (block) => store(block, span.traceparent), isStored)
    stored.then(
      () => span.end(),
      (error: Error) => span.end({ failed: error.message }),
    )
    return stored
  }

  #limited<T>(
    submissions: readonly Submission[],
    store: (block: string | null) => Promise<T>,
    isStored: (outcome: T) => boolean = () => true,
  ): Promise<T> {
    const { admission } = this.#options
    return this.#holding(submissions, async () => {
      if (!admission) return store(null)
      const { block, settle } = await admit(admission, submissions)
      try {
        const outcome = await store(block)
        settle(isStored(outcome) ? 'stored' : 'refused')
        return outcome
      } catch (error) {
        // Only what the server itself refused is certain not to be there
        settle(error instanceof SubmitError && error.fault !== 'unavailable' ? 'refused' : 'unknown')
        throw error
      }
    })
  }

  /** Counts what is in memory while `work` runs, or refuses it. */
  async #holding<T>(submissions: readonly Submission[], work: () => Promise<T>): Promise<T> {
    const bytes = submissions.reduce((sum, submission) => sum + submission.raw.length, 0)
    if (this.#heldBytes + bytes > heldBytesMax)
      throw new SubmitError('overloaded', 'too much mail waits for the database')
    this.#heldBytes += bytes
    try {
      return await work()
    } finally {
      this.#heldBytes -= bytes
    }
  }

  #next(): void {
    while (this.#pending.length > 0 && this.#idle.length > 0) {
      const waitMs = this.#waitMs()
      if (waitMs > 0) {
        clearTimeout(this.#patience)
        this.#patience = setTimeout(() => this.#next(), waitMs)
        return
      }
      this.#startedAt = performance.now()
      const writer = this.#idle.pop()!
      const batch = this.#take()
      const work = this.#write(writer, batch).finally(() => {
        this.#inFlight.delete(work)
        this.#idle.push(writer)
        this.#next()
      })
      this.#inFlight.add(work)
    }
  }

  /** How long what is pending may still grow. */
  #waitMs(): number {
    const messages = this.#pending.length
    const isFirst = this.#idle.length === this.#writers.length
    if (messages >= (isFirst ? fullEnough : secondWriterMessages) || this.#pendingBytes >= secondWriterBytes)
      return 0
    const afterMs = isFirst ? smallBatchEveryMs : secondWriterAfterMs
    return this.#startedAt + afterMs - performance.now()
  }

  #take(): Pending[] {
    let count = 0
    let bytes = 0
    while (count < this.#pending.length && count < batchMessagesMax) {
      const size = this.#pending[count]!.body.length
      if (count > 0 && bytes + size > batchBytesMax) break
      bytes += size
      count++
    }
    this.#pendingBytes -= bytes
    return this.#pending.splice(0, count)
  }

  async #write(writer: BodyClient, batch: Pending[]): Promise<void> {
    const { json, body } = join(batch)
    try {
      const [row] = await writer.query<StoredRow>(submitBatch, [json, body])
      batch.forEach((pending, index) => {
        pending.resolve(row!.message_ids[index]!)
      })
      this.#report(row!)
    } catch (error) {
      // One message that cannot be stored must not take the others with it.
      if (batch.length > 1 && (databaseFault(error) === 'data' || isEndedBlock(error))) {
        const middle = Math.ceil(batch.length / 2)
        await this.#write(writer, batch.slice(0, middle))
        await this.#write(writer, batch.slice(middle))
        return
      }
      const failure = asSubmitError(error)
      for (const pending of batch) pending.reject(failure)
      // Those who wait would only wait for the same silence
      if (error instanceof NoAnswerError) this.#refusePending(failure)
    }
  }

  #refusePending(error: SubmitError): void {
    for (const pending of this.#pending.splice(0)) pending.reject(error)
    this.#pendingBytes = 0
  }

  #report(row: StoredRow): void {
    this.#options.onStored(row.ip_ids ?? [], row.due ?? [])
  }
}

/** The database that does not say what the limits are is away, as for everything else. */
async function admit(admission: Admission, submissions: readonly Submission[]): Promise<Admitted> {
  try {
    return await admission.admit(submissions)
  } catch (error) {
    throw error instanceof AdmissionError ? error : asSubmitError(error)
  }
}

/** One message as an element of postel.submit_batch's array, but for its offset, which join() adds. */
function encode(
  submission: Submission,
  block: string | null,
  trace: string | undefined,
): { json: string; body: Buffer } {
  const { raw } = submission
  const compressed = raw.length >= compressFromBytes ? compress(raw) : raw
  const body = compressed.length < raw.length * 0.9 ? compressed : raw
  const json = JSON.stringify({
    org: submission.organizationId,
    prj: submission.projectId,
    src: submission.source,
    efrom: submission.envelopeFrom,
    sdom: submission.signingDomain,
    mid: submission.messageIdHeader,
    hfrom: submission.headerFrom,
    subj: submission.subject,
    size: raw.length,
    len: body.length,
    enc: body === raw ? 0 : 1,
    det:
      trace === undefined
        ? (submission.details ?? null)
        : { ...(submission.details ?? {}), traceparent: trace },
    prio: submission.priority ?? null,
    exp: submission.expiresInSeconds ?? null,
    send_at: submission.sendAt ?? null,
    ...(submission.test && { test: true }),
    ...(block !== null && { blk: block }),
    rcpt: submission.recipients.map((recipient) => recipient.address),
    rdom: submission.recipients.map((recipient) => (submission.test ? testDomain : recipient.domain)),
  })
  return { json, body }
}

/** Level 1: mail is mostly base64, which higher levels shrink no further. One output chunk spares copies. */
function compress(raw: Buffer): Buffer {
  return zstdCompressSync(raw, {
    chunkSize: Math.max(raw.length, 1024),
    pledgedSrcSize: raw.length,
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  })
}

function join(messages: readonly { json: string; body: Buffer }[]): { json: string; body: Buffer } {
  let offset = 1
  let json = ''
  for (const message of messages) {
    json += `${json === '' ? '[' : ','}{"off":${offset},${message.json.slice(1)}`
    offset += message.body.length
  }
  const bodies = messages.map((message) => message.body)
  return { json: `${json}]`, body: bodies.length === 1 ? bodies[0]! : Buffer.concat(bodies, offset - 1) }
}

function asSubmitError(error: unknown): SubmitError {
  const fault = databaseFault(error)
  const texts = {
    data: 'the message cannot be stored',
    full: 'the database has no room',
    unavailable: 'the database is not available',
  }
  return new SubmitError(fault, texts[fault], error)
}
