/** Attachments by URL, with the unmodified resend SDK and a real web server. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Resend } from 'resend'
import { startApi, type Tenant, type TestApi } from '../testing/start-api.ts'

let api: TestApi
let tenant: Tenant
let resend: Resend
let server: Server
let base: string
let asked = 0

beforeAll(async () => {
  server = createServer((request, response) => {
    asked++
    if (request.url === '/large.bin') response.end(Buffer.alloc(300_000))
    else if (request.url === '/moved') response.writeHead(302, { location: '/a%20b.txt' }).end()
    else if (request.url === '/empty') response.end()
    else response.end('fetched')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  api = await startApi({ WEBHOOKS_ALLOW_PRIVATE: true, MAX_MESSAGE_BYTES: 400_000 })
  tenant = await api.tenant('example.test')
  resend = new Resend(tenant.key, { baseUrl: api.url })
})
afterAll(async () => {
  server.close()
  await api.stop()
})

const send = (...attachments: object[]) =>
  resend.emails.send({ from: 'a@example.test', to: 'b@dest.test', subject: 's', text: 't', attachments })

test('an attachment is fetched from its path, and named as it is there', async () => {
  const { data, error } = await send(
    { path: `${base}/a%20b.txt` },
    { path: `${base}/x`, filename: 'own.txt' },
  )
  expect(error).toBeNull()
  const list = await resend.emails.attachments.list({ emailId: data!.id })
  expect(list.data!.data.map(({ filename, size }) => [filename, size])).toEqual([
    ['a b.txt', 7],
    ['own.txt', 7],
  ])
})

test.each([
  ['answers with a redirect', '/moved', 422],
  ['has nothing in it', '/empty', 422],
])('one that %s is refused', async (_, path, statusCode) => {
  expect((await send({ path: base + path })).error).toMatchObject({ statusCode, name: 'invalid_attachment' })
})

test('all together are not larger than a message may be', async () => {
  const large = { path: `${base}/large.bin` }
  expect((await send(large, large)).error).toMatchObject({ statusCode: 413 })
})

test('nothing is asked where one of them is refused', async () => {
  const before = asked
  expect((await send({ path: `${base}/x` }, { path: '/etc/passwd' })).error).toMatchObject({
    statusCode: 422,
  })
  expect(asked).toBe(before)
})
