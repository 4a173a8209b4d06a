/** The client of S3 storage: right signatures, whole objects or none, and what it does when the storage fails. */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { ObjectStore, StoreError } from '@postel/db/backup/object-store'
import { S3Server } from '../support/s3-server.ts'

const mebibyte = 1024 * 1024
let server: S3Server

beforeEach(async () => {
  server = await S3Server.start()
})
afterEach(() => server.stop())

const storeWith = (changes: Partial<ConstructorParameters<typeof ObjectStore>[0]> = {}) =>
  new ObjectStore({ ...server, endpoint: server.endpoint, pathStyle: true, retryMs: 1, ...changes })

async function* stream(body: Buffer, chunk = 100_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += chunk) yield body.subarray(at, at + chunk)
}
const confirmed = async () => {}

async function readAll(store: ObjectStore, key: string): Promise<Buffer> {
  return Buffer.from(await new Response(await store.read(key)).arrayBuffer())
}

test('an object of several parts is stored and read byte for byte', async () => {
  const store = storeWith()
  const body = randomBytes(13 * mebibyte)
  const key = 'some/folder/postel-20261122T023005Z-v1.2.3.dump.age'
  expect(await store.upload(key, stream(body), 6 * mebibyte, confirmed)).toBe(body.length)
  expect(await store.size(key)).toBe(body.length)
  expect((await readAll(store, key)).equals(body)).toBe(true)
  expect(
    server.asked.filter((asked) => asked.query.partNumber).map((asked) => asked.bytes / mebibyte),
  ).toEqual([6, 6, 1])
})

test('listing goes on over pages; what was removed is gone, and so is what never was', async () => {
  const store = storeWith()
  server.pageSize = 2
  for (const key of ['p/1', 'p/2', 'p/3&', 'p/4', 'p/5', 'q/1']) await store.put(key, Buffer.from(key))
  expect((await store.list('p/')).map(({ key, bytes }) => [key, bytes])).toEqual([
    ['p/1', 3],
    ['p/2', 3],
    ['p/3&', 4],
    ['p/4', 3],
    ['p/5', 3],
  ])
  await store.remove('p/1')
  await store.remove('p/1')
  expect(await store.text('p/1')).toBeUndefined()
  expect(await store.size('p/1')).toBeUndefined()
})

test('a part that the storage could not take, or whose connection broke, is sent again', async () => {
  let failures = 0
  server.fault = ({ query }) => {
    if (query.partNumber !== '2' || failures === 3) return undefined
    return ([500, 'reset', 503] as const)[failures++]
  }
  const body = randomBytes(11 * mebibyte)
  const store = storeWith()
  await store.upload('x', stream(body), 5 * mebibyte, confirmed)
  expect(failures).toBe(3)
  expect((await readAll(store, 'x')).equals(body)).toBe(true)
})

test.each([
  [
    'the storage keeps failing',
    500,
    /^storing x, part 2: the storage answers 500 InternalError: We encountered/,
  ],
  ['every connection is cut', 'reset' as const, /^storing x, part 2: /],
  ['it refuses', 403, /^storing x, part 2: the storage answers 403 InternalError/],
])('nothing is left when %s', async (_name, fault, message) => {
  server.fault = ({ query }) => (query.partNumber === '2' ? fault : undefined)
  const failed = storeWith().upload('x', stream(randomBytes(16 * mebibyte)), 5 * mebibyte, confirmed)
  await expect(failed).rejects.toThrow(message)
  await expect(failed).rejects.toThrow(StoreError)
  expect([server.objects.size, server.uploads.size]).toEqual([0, 0])
})

test('nothing is left when the stream breaks off, or its end is not confirmed', async () => {
  const broken = (async function* () {
    yield randomBytes(6 * mebibyte)
    throw new Error('broken off')
  })()
  await expect(storeWith().upload('x', broken, 5 * mebibyte, confirmed)).rejects.toThrow('broken off')
  const unconfirmed = storeWith().upload('x', stream(randomBytes(10)), 5 * mebibyte, async () => {
    throw new Error('exit code 1')
  })
  await expect(unconfirmed).rejects.toThrow('exit code 1')
  expect([server.objects.size, server.uploads.size]).toEqual([0, 0])
})

test('a completion whose answer was lost counts as what it was', async () => {
  let lost = false
  const { uploads } = server
  server.fault = ({ method, query }) => {
    if (method !== 'POST' || query.uploadId === undefined || lost) return undefined
    lost = true
    // Done, and then the connection breaks
    server.objects.set('x', {
      body: Buffer.concat([...uploads.get(query.uploadId)!.parts.values()]),
      modifiedAt: new Date(),
    })
    uploads.delete(query.uploadId)
    return 'reset'
  }
  expect(await storeWith().upload('x', stream(randomBytes(10)), 5 * mebibyte, confirmed)).toBe(10)
})

test('an answer that breaks off is asked for again, also that to a completion', async () => {
  const faults = ['GET p/', 'GET p/1', 'POST x']
  server.fault = ({ method, key, query }) => {
    if (query.partNumber || query.uploads !== undefined) return undefined
    const at = faults.indexOf(`${method} ${key || query.prefix}`)
    if (at < 0) return undefined
    faults.splice(at, 1)
    return 'truncate'
  }
  const store = storeWith()
  await store.put('p/1', Buffer.from('content'))
  expect((await store.list('p/')).map(({ key }) => key)).toEqual(['p/1'])
  expect(await store.text('p/1')).toBe('content')
  expect(await store.upload('x', stream(randomBytes(10)), 5 * mebibyte, confirmed)).toBe(10)
  expect([faults, server.objects.size]).toEqual([[], 2])
})

test('a refusal that breaks off is told by its status', async () => {
  server.fault = () => 'truncate'
  await expect(storeWith().read('x')).rejects.toThrow('reading x: the storage answers 404')
})

test('a part that is on its way is waited for before its upload is given up', async () => {
  server.bytesPerSecond = 20 * mebibyte
  const broken = (async function* () {
    yield randomBytes(6 * mebibyte)
    throw new Error('broken off')
  })()
  await expect(storeWith().upload('x', broken, 5 * mebibyte, confirmed)).rejects.toThrow('broken off')
  expect(server.asked.map(({ method }) => method)).toEqual(['POST', 'PUT', 'DELETE'])
})

test.each([
  ['while it waits to try again', 500],
  ['while it waits for an answer', 'silence' as const],
])('what is told to stop %s says who told it', async (_name, fault) => {
  const stop = new AbortController()
  server.fault = () => {
    setTimeout(() => stop.abort(new Error('told to stop')), 200)
    return fault
  }
  await expect(storeWith({ signal: stop.signal, retryMs: 60_000 }).list('p/')).rejects.toThrow('told to stop')
})

test('a wrong secret is told in the words of the storage, at once', async () => {
  await expect(storeWith({ secretAccessKey: 'wrong' }).put('x', Buffer.from('x'))).rejects.toThrow(
    'storing x: the storage answers 403 SignatureDoesNotMatch: the signature is wrong',
  )
})

test('an endpoint where nobody listens is told with the reason', async () => {
  const gone = await S3Server.start()
  const store = storeWith({ endpoint: gone.endpoint })
  await gone.stop()
  await expect(store.list('p/')).rejects.toThrow(/^listing p\/: .*ECONNREFUSED/)
})

test('no more than two parts are in memory, however slow the storage is', async () => {
  server.bytesPerSecond = 200 * mebibyte
  const chunk = randomBytes(mebibyte)
  let ahead = 0
  const source = (async function* () {
    for (let count = 0; count < 60; count++) {
      const sent = server.asked.reduce((sum, asked) => sum + asked.bytes, 0)
      ahead = Math.max(ahead, (count * mebibyte - sent) / mebibyte)
      yield chunk
    }
  })()
  await storeWith().upload('x', source, 5 * mebibyte, confirmed)
  expect(ahead).toBeLessThanOrEqual(15)
})

test('a host name for the bucket, where the storage wants that', () => {
  const store = storeWith({ endpoint: 'https://s3.example.test', pathStyle: false })
  expect(store.describe('a/b')).toBe('https://backups.s3.example.test/a/b')
})
