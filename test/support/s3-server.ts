/** A small storage that speaks S3, in memory: signatures (SigV4) really verified, multipart, listing, and faults on request. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')
const md5 = (data: Buffer) => createHash('md5').update(data).digest('hex')
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest()

export type Asked = { method: string; key: string; query: Record<string, string>; bytes: number }

/** What is to go wrong with a request, before anything is done: a status, `reset` (the connection is cut), `silence`, `corrupt` (a
 * stored byte is another); or after it: `truncate` (an answer that ends early). */
export type Fault = number | 'reset' | 'silence' | 'truncate' | 'corrupt'

const region = 'eu-test-1'

export class S3Server {
  readonly accessKeyId = 'AKTEST'
  readonly secretAccessKey = 'secret/with+signs='
  readonly bucket = 'backups'
  readonly region = region
  readonly objects = new Map<string, { body: Buffer; modifiedAt: Date }>()
  readonly uploads = new Map<string, { key: string; parts: Map<number, Buffer>; startedAt: Date }>()
  /** Every request whose signature was right. */
  readonly asked: Asked[] = []
  /** Decides what goes wrong. */
  fault: (asked: Asked) => Fault | undefined = () => undefined
  /** Bytes a second that it takes. */
  bytesPerSecond = Number.POSITIVE_INFINITY
  /** Entries of one answer to a listing. */
  pageSize = 1000
  readonly #server: Server
  #uploadCount = 0

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => response.destroy(error))
    })
  }

  static async start(): Promise<S3Server> {
    const server = new S3Server()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The variables of npm run backup. */
  get env(): Record<string, string> {
    return {
      BACKUP_S3_ENDPOINT: this.endpoint,
      BACKUP_S3_BUCKET: this.bucket,
      BACKUP_S3_REGION: this.region,
      BACKUP_S3_ACCESS_KEY_ID: this.accessKeyId,
      BACKUP_S3_SECRET_ACCESS_KEY: this.secretAccessKey,
    }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await this.#body(request)
    const url = new URL(request.url!, this.endpoint)
    const refusal = this.#verify(request, url, body)
    if (refusal) return error(response, 403, 'SignatureDoesNotMatch', refusal)
    const [, bucket, ...rest] = url.pathname.split('/')
    if (decodeURIComponent(bucket!) !== this.bucket)
      return error(response, 404, 'NoSuchBucket', 'No such bucket')
    const key = decodeURIComponent(rest.join('/'))
    const query = Object.fromEntries(url.searchParams)
    const asked = { method: request.method!, key, query, bytes: body.length }
    this.asked.push(asked)
    const fault = this.fault(asked)
    if (typeof fault === 'number')
      return error(response, fault, 'InternalError', 'We encountered an internal error')
    if (fault === 'reset') return void response.destroy()
    if (fault === 'silence') return
    if (fault === 'corrupt' && body.length > 0) body[body.length >> 1]! ^= 1
    if (fault === 'truncate') response.end = truncated(response)
    this.#serve(asked, body, response)
  }

  async #body(request: IncomingMessage): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      if (Number.isFinite(this.bytesPerSecond))
        await new Promise((resolve) => setTimeout(resolve, (chunk.length / this.bytesPerSecond) * 1000))
    }
    return Buffer.concat(chunks)
  }

  /** Why the request is not signed as AWS asks for; undefined when it is. */
  #verify(request: IncomingMessage, url: URL, body: Buffer): string | undefined {
    const match =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
        request.headers.authorization ?? '',
      )
    if (!match) return 'no authorization'
    const [, id, day, region, signedHeaders, signature] = match
    const time = String(request.headers['x-amz-date'])
    const names = signedHeaders!.split(';')
    if (id !== this.accessKeyId || region !== this.region) return 'another key or region'
    if (!time.startsWith(day!)) return 'another day'
    const then = Date.parse(time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
    if (!(Math.abs(Date.now() - then) < 900_000)) return 'too old'
    for (const needed of ['host', 'x-amz-content-sha256', 'x-amz-date'])
      if (!names.includes(needed)) return `${needed} is not signed`
    const bodyHash = String(request.headers['x-amz-content-sha256'])
    if (bodyHash !== sha256(body)) return 'the body is another than was signed'
    const strict = (text: string) =>
      encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    const canonical = [
      request.method,
      url.pathname
        .split('/')
        .map((part) => strict(decodeURIComponent(part)))
        .join('/'),
      [...url.searchParams]
        .map(([name, value]) => `${strict(name)}=${strict(value)}`)
        .sort()
        .join('&'),
      ...names.map((name) => `${name}:${String(request.headers[name]).trim()}`),
      '',
      signedHeaders,
      bodyHash,
    ].join('\n')
    const scope = `${day}/${region}/s3/aws4_request`
    const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')
    const key = hmac(hmac(hmac(hmac(`AWS4${this.secretAccessKey}`, day!), region!), 's3'), 'aws4_request')
    const expected = hmac(key, toSign)
    return timingSafeEqual(expected, Buffer.from(signature!, 'hex')) ? undefined : 'the signature is wrong'
  }

  #serve({ method, key, query }: Asked, body: Buffer, response: ServerResponse): void {
    const upload = query.uploadId === undefined ? undefined : this.uploads.get(query.uploadId)
    if (query.uploadId !== undefined && !upload) return error(response, 404, 'NoSuchUpload', 'No such upload')
    const now = new Date()
    if (method === 'POST' && query.uploads !== undefined) {
      const id = `upload-${++this.#uploadCount}`
      this.uploads.set(id, { key, parts: new Map(), startedAt: now })
      return xml(
        response,
        `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
      )
    }
    if (method === 'PUT' && upload) {
      upload.parts.set(Number(query.partNumber), body)
      return void response.writeHead(200, { etag: `"${md5(body)}"` }).end()
    }
    if (method === 'POST' && upload) {
      const wanted = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>&#34;(\w+)&#34;</g)]
      const parts = wanted.map(([, number, tag]) => ({ part: upload.parts.get(Number(number)), tag }))
      if (parts.length === 0 || parts.some(({ part, tag }) => !part || md5(part) !== tag))
        return error(response, 400, 'InvalidPart', 'One or more of the specified parts could not be found')
      if (parts.slice(0, -1).some(({ part }) => part!.length < 5 * 1024 * 1024))
        return error(response, 400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum')
      this.objects.set(upload.key, { body: Buffer.concat(parts.map(({ part }) => part!)), modifiedAt: now })
      this.uploads.delete(query.uploadId!)
      return xml(response, '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>')
    }
    if (method === 'DELETE' && upload) {
      this.uploads.delete(query.uploadId!)
      return void response.writeHead(204).end()
    }
    if (method === 'GET' && key === '' && query.uploads !== undefined) {
      const found = [...this.uploads].map(
        ([id, { key, startedAt }]) =>
          `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${startedAt.toISOString()}</Initiated></Upload>`,
      )
      return xml(response, `<ListMultipartUploadsResult>${found.join('')}</ListMultipartUploadsResult>`)
    }
    if (method === 'GET' && key === '') return this.#list(query, response)
    if (method === 'PUT') {
      this.objects.set(key, { body, modifiedAt: now })
      return void response.writeHead(200).end()
    }
    if (method === 'DELETE') {
      this.objects.delete(key)
      return void response.writeHead(204).end()
    }
    const object = this.objects.get(key)
    if (!object) return error(response, 404, 'NoSuchKey', 'The specified key does not exist.')
    response.writeHead(200, { 'content-length': object.body.length })
    if (method === 'HEAD') return void response.end()
    response.end(object.body)
  }

  #list(query: Record<string, string>, response: ServerResponse): void {
    const all = [...this.objects.keys()].filter((name) => name.startsWith(query.prefix ?? '')).sort()
    const from = query['continuation-token'] ? all.indexOf(query['continuation-token']) : 0
    const page = all.slice(from, from + this.pageSize)
    const next = all[from + this.pageSize]
    const entries = page.map((name) => {
      const { body, modifiedAt } = this.objects.get(name)!
      return `<Contents><Key>${name.replaceAll('&', '&amp;')}</Key><LastModified>${modifiedAt.toISOString()}</LastModified><Size>${body.length}</Size></Contents>`
    })
    const more = next ? `<NextContinuationToken>${next}</NextContinuationToken>` : ''
    xml(
      response,
      `<ListBucketResult><IsTruncated>${next !== undefined}</IsTruncated>${more}${entries.join('')}</ListBucketResult>`,
    )
  }
}

/** Instead of a response's end(): half of its body, and then the connection is cut. */
function truncated(response: ServerResponse): ServerResponse['end'] {
  return ((body: Buffer | string) => {
    const bytes = Buffer.from(body)
    if (!response.headersSent) response.setHeader('content-length', bytes.length)
    response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
    return response
  }) as ServerResponse['end']
}

function xml(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0"?>\n${text}`)
}

function error(response: ServerResponse, status: number, code: string, message: string): void {
  response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`)
}
