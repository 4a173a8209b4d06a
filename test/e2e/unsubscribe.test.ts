// By SMTP too: one-click unsubscription and tracking are added where they are asked for, and what arrives is signed with them.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { dkimResults } from '../support/dkim-verifier.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System

beforeAll(async () => {
  system = await startSystem({
    dkim: ['ed25519-sha256'],
    inbound: { POSTEL_PUBLIC_URL: 'https://mail.example.test' },
  })
  await system.postel.sql`update postel.projects set unsubscribe = true`
  await system.postel.sql`
    update postel.domains
    set click_tracking = true, open_tracking = true, tracking_subdomain = 'links', tracking_verified_at = now()`
})

afterAll(() => system.stop())

async function arrived(to: string[], data: string): Promise<string> {
  const { postel, mx } = system
  await postel.settled(await postel.submit({ to, data }))
  return mx.messages.at(-1)!.content
}

const html = message('<a href="https://shop.test/">x</a>\r\n', 'Content-Type: text/html')

test('a message to one recipient arrives with both, signed', async () => {
  const raw = await arrived(['a@dest.test'], html)
  expect(raw).toMatch(/\r\nList-Unsubscribe: <https:\/\/mail\.example\.test\/unsubscribe\/[\w-]+>\r\n/)
  expect(raw).toContain('\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n')
  expect(raw).toMatch(/\bh=[^;]*\blist-unsubscribe:[^;]*\blist-unsubscribe-post:/)
  // Quoted-printable: a hyphen that comes to stand first in a line is escaped
  const body = raw
    .slice(raw.indexOf('\r\n\r\n'))
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  expect(body).toMatch(
    /https:\/\/links\.example\.test\/c\/[\w-]+"[\s\S]*https:\/\/links\.example\.test\/o\/[\w-]+\.gif/,
  )
  expect(await dkimResults(system.postel.sql, raw)).toEqual(['ed25519-sha256 pass'])
})

test('to several it has no link to unsubscribe', async () => {
  const raw = await arrived(['a@dest.test', 'b@dest.test'], html)
  expect(raw).not.toMatch(/^list-unsubscribe/im)
  expect(raw).toContain('https://links.example.test/c/')
})

test.each([
  ['signed by its author', 'multipart/signed; boundary=b'],
  ['encrypted', 'multipart/encrypted; boundary=b'],
])('a message %s arrives with its body as it was', async (_name, type) => {
  const body = '--b\r\nContent-Type: text/html\r\n\r\n<a href="https://shop.test/">x</a>\r\n--b--\r\n'
  const raw = await arrived(['a@dest.test'], message(body, `Content-Type: ${type}`))
  expect(raw.slice(raw.indexOf('\r\n\r\n') + 4)).toBe(body)
})

test('a message that its author signed with DKIM arrives as it was', async () => {
  const raw = await arrived(
    ['a@dest.test'],
    message(
      '<a href="https://shop.test/">x</a>\r\n',
      'Content-Type: text/html',
      'DKIM-Signature: v=1; d=x.test; h=from; b=x',
    ),
  )
  expect(raw).not.toContain('links.example.test')
  expect(raw).not.toMatch(/^list-unsubscribe/im)
})
