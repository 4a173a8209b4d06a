/** A bucket of any storage that speaks S3: signed requests, tried again, with bounded memory. */
import { createHash } from 'node:crypto'
import { backoffMs, pause } from '@postel/runtime/backoff'
import { AwsV4Signer } from 'aws4fetch'

export type StoreOptions = {
  endpoint: string
  bucket: string
  region: string
  accessKeyId: string
  secretAccessKey: string
  /** The bucket's name is in the path of URLs, else in the host name. */
  pathStyle: boolean
  signal?: AbortSignal
  /** Waits before tries, in milliseconds. Default: up to 1 s, twice as long each time. */
  retryMs?: number
}

export type StoredObject = { key: string; bytes: number; modifiedAt: Date }
type Upload = { key: string; uploadId: string; startedAt: Date }

/** The storage refused, or could not be reached in six tries. `status` is that of its answer, if any. */
export class StoreError extends Error {
  override name = 'StoreError'
  readonly status: number | undefined

  constructor(message: string, status?: number, cause?: unknown) {
    super(message, { cause })
    this.status = status
  }
}

const triesMax = 6
const answerMs = 60_000
/** The slowest link that is taken for one: so long may a body take, besides. */
const bytesPerMsMin = 64

type Request = {
  method: string
  key?: string
  query?: Record<string, string>
  body?: Uint8Array
  /** What it is answered with is read by whoever asks. */
  streamed?: boolean
  /** What was asked for, in the words of an error. */
  what: string
}

/** `body` is that of a streamed one; of all others `text` is all of it. */
type Answer = Pick<Response, 'ok' | 'status' | 'headers' | 'body'> & { text: string }

export class ObjectStore {
  readonly #options: StoreOptions
  readonly #base: string
  /** Signing keys by day. */
  readonly #keys = new Map<string, ArrayBuffer>()

  constructor(options: StoreOptions) {
    this.#options = options
    const url = new URL(options.endpoint)
    if (!options.pathStyle) url.hostname = `${options.bucket}.${url.hostname}`
    this.#base = options.pathStyle ? `${url.origin}/${options.bucket}` : url.origin
  }

  /** What to show to people. */
  describe(key: string): string {
    return `${this.#base}/${key}`
  }

  /** Stores a small object in one request. */
  async put(key: string, body: Uint8Array): Promise<void> {
    await this.#ask({ method: 'PUT', key, body, what: `storing ${key}` })
  }

  /** The size of an object; undefined where there is none. */
  async size(key: string): Promise<number | undefined> {
    const answer = await this.#ask({ method: 'HEAD', key, what: `asking for the size of ${key}` }, [404])
    if (answer.status === 404) return undefined
    return Number(answer.headers.get('content-length'))
  }

  /** A small object as text; undefined where there is none. */
  async text(key: string): Promise<string | undefined> {
    const answer = await this.#ask({ method: 'GET', key, what: `reading ${key}` }, [404])
    return answer.status === 404 ? undefined : answer.text
  }

  /** An object from its beginning. What breaks off on the way is the reader's to notice: compare the bytes with the size. */
  async read(key: string): Promise<ReadableStream<Uint8Array>> {
    const answer = await this.#ask({ method: 'GET', key, streamed: true, what: `reading ${key}` })
    return answer.body!
  }

  async remove(key: string): Promise<void> {
    await this.#ask({ method: 'DELETE', key, what: `deleting ${key}` }, [404])
  }

  /** Best effort, also when the process is being stopped. */
  async discard(key: string): Promise<void> {
    await this.#once({ method: 'DELETE', key, what: `deleting ${key}` })
  }

  /** All objects whose names begin with the prefix. */
  async list(prefix: string): Promise<StoredObject[]> {
    const found: StoredObject[] = []
    for (let token: string | undefined, more = true; more; ) {
      const query = { 'list-type': '2', prefix, ...(token !== undefined && { 'continuation-token': token }) }
      const xml = await this.#xml({ method: 'GET', query, what: `listing ${prefix}` })
      for (const entry of elements(xml, 'Contents'))
        found.push({
          key: element(entry, 'Key'),
          bytes: Number(element(entry, 'Size')),
          modifiedAt: new Date(element(entry, 'LastModified')),
        })
      more = element(xml, 'IsTruncated') === 'true'
      token = element(xml, 'NextContinuationToken')
    }
    return found
  }

  /**
   * Stores a stream of unknown length, in parts of `partBytes`, of which two are in memory. The object appears when the
   * stream has ended well and `confirm` has resolved; otherwise nothing is left. Every part is signed with its SHA-256,
   * which the storage checks. Resolves with the bytes.
   */
  async upload(
    key: string,
    stream: AsyncIterable<Uint8Array>,
    partBytes: number,
    confirm: () => Promise<void>,
  ): Promise<number> {
    const what = `storing ${key}`
    const begun = await this.#xml({ method: 'POST', key, query: { uploads: '' }, what })
    const uploadId = element(begun, 'UploadId')
    if (uploadId === '') throw new StoreError(`${what}: the storage gave no id for the upload`)
    const tags: string[] = []
    let total = 0
    const send = async (body: Uint8Array) => {
      const partNumber = tags.push('')
      const query = { partNumber: `${partNumber}`, uploadId }
      const answer = await this.#ask({ method: 'PUT', key, query, body, what: `${what}, part ${partNumber}` })
      tags[partNumber - 1] = answer.headers.get('etag') ?? ''
      total += body.length
    }
    let sending: Promise<void> = Promise.resolve()
    try {
      for await (const part of parts(stream, partBytes)) {
        await sending
        sending = send(part)
        // Its failure is met by the next await
        sending.catch(() => {})
      }
      await sending
      await confirm()
      const list = tags.map(
        (tag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${encode(tag)}</ETag></Part>`,
      )
      const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`)
      // A completion whose answer was lost is refused the second time; what is there then tells
      const done = await this.#ask({ method: 'POST', key, query: { uploadId }, body, what }, [404])
      if (done.status === 404 ? (await this.size(key)) !== total : done.text.includes('<Error>'))
        throw new StoreError(
          `${what}: ${element(done.text, 'Message') || 'it could not be completed'}`,
          done.status,
        )
      return total
    } catch (error) {
      // A part that is still on its way could be kept after the upload has been given up
      await sending.catch(() => {})
      await this.#abort({ key, uploadId })
      throw error
    }
  }

  /** Gives up uploads below the prefix that a killed process has left, which would cost money for ever. */
  async abortUploads(prefix: string, startedBefore: Date): Promise<void> {
    const xml = await this.#xml({ method: 'GET', query: { uploads: '', prefix }, what: 'listing uploads' })
    const uploads: Upload[] = elements(xml, 'Upload').map((entry) => ({
      key: element(entry, 'Key'),
      uploadId: element(entry, 'UploadId'),
      startedAt: new Date(element(entry, 'Initiated')),
    }))
    for (const upload of uploads) if (upload.startedAt < startedBefore) await this.#abort(upload)
  }

  async #abort({ key, uploadId }: Pick<Upload, 'key' | 'uploadId'>): Promise<void> {
    await this.#once({ method: 'DELETE', key, query: { uploadId }, what: `giving up the upload of ${key}` })
  }

  /** Best effort, also when the process is being stopped. */
  async #once(request: Request): Promise<void> {
    await this.#try(request, AbortSignal.timeout(10_000)).catch(() => {})
  }

  async #xml(request: Request): Promise<string> {
    return (await this.#ask(request)).text
  }

  /** An answer of 2xx, or one that is expected. */
  async #ask(request: Request, expected: readonly number[] = []): Promise<Answer> {
    const { signal, retryMs = 1000 } = this.#options
    let problem = new StoreError(`${request.what}: not tried`)
    for (let tries = 0; tries < triesMax; tries++) {
      if (tries > 0) await pause(backoffMs(tries - 1, retryMs, 16 * retryMs), signal)
      signal?.throwIfAborted()
      const limit = AbortSignal.timeout(answerMs + Math.ceil((request.body?.length ?? 0) / bytesPerMsMin))
      let answer: Answer
      try {
        answer = await this.#try(request, limit, signal)
      } catch (error) {
        signal?.throwIfAborted()
        problem = new StoreError(`${request.what}: ${reason(error)}`, undefined, error)
        continue
      }
      if (answer.ok || expected.includes(answer.status)) return answer
      const { text } = answer
      const said = [element(text, 'Code'), element(text, 'Message')].filter((part) => part !== '').join(': ')
      problem = new StoreError(`${request.what}: the storage answers ${answer.status} ${said}`, answer.status)
      if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) break
    }
    throw problem
  }

  /** `limit` counts until the answer's end; of one that is streamed, until its head. `signal` always until its end. */
  async #try(
    { method, key, query = {}, body, streamed = false }: Request,
    limit: AbortSignal,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const { accessKeyId, secretAccessKey, region } = this.#options
    const url = new URL(`${this.#base}/${key ?? ''}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const signed = await new AwsV4Signer({
      method,
      url: url.href,
      service: 's3',
      region,
      accessKeyId,
      secretAccessKey,
      cache: this.#keys,
      headers: {
        'x-amz-content-sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
      },
    }).sign()
    const stop = new AbortController()
    const onLimit = () => stop.abort(limit.reason)
    limit.addEventListener('abort', onLimit)
    try {
      const response = await fetch(signed.url, {
        method,
        headers: signed.headers,
        redirect: 'error',
        signal: signal ? AbortSignal.any([stop.signal, signal]) : stop.signal,
        ...(body && { body: body as Uint8Array<ArrayBuffer> }),
      })
      const { ok, status, headers } = response
      if (ok && streamed) return { ok, status, headers, text: '', body: response.body }
      // An answer that breaks off is none, but of a refusal its status is enough
      const text = await response.text().catch((error) => {
        if (ok) throw error
        return ''
      })
      return { ok, status, headers, text, body: null }
    } finally {
      limit.removeEventListener('abort', onLimit)
    }
  }
}

/** The stream cut into pieces of this size; the last one is smaller, and comes, empty, where there was nothing else. */
async function* parts(stream: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let part = Buffer.allocUnsafe(bytes)
  let filled = 0
  let any = false
  for await (let chunk of stream) {
    while (chunk.length > 0) {
      const taken = Math.min(bytes - filled, chunk.length)
      part.set(chunk.subarray(0, taken), filled)
      filled += taken
      chunk = chunk.subarray(taken)
      if (filled < bytes) continue
      yield part
      any = true
      part = Buffer.allocUnsafe(bytes)
      filled = 0
    }
  }
  if (filled > 0 || !any) yield part.subarray(0, filled)
}

/** fetch says only that it failed; the reason is below. */
function reason(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } }
  return cause?.message || cause?.code || message || String(error)
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function element(xml: string, name: string): string {
  const [, text = ''] = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml) ?? []
  return text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (all, decimal, hex, named) =>
    decimal || hex
      ? String.fromCodePoint(Number.parseInt(decimal ?? hex, decimal ? 10 : 16))
      : (entities[named] ?? all),
  )
}

function elements(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(([, inner]) => inner!)
}

const encode = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
