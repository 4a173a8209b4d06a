// Whatever a remote says is text: stored in one bounded line, and shown the same in psql, in REST and to the sender.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { AppProcess } from '../ledger/app-process.ts'
import type { MxScript } from '../support/fake-mx.ts'
import { ownPort } from '../support/ports.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

const directory = mkdtempSync(join(tmpdir(), 'postel-text-'))
let system: System
let api: AppProcess
let apiPort: number

beforeAll(async () => {
  system = await startSystem()
  apiPort = await ownPort()
  const env = {
    DATABASE_URL: system.postel.databaseUrl,
    POSTEL_UNSAFE_DATABASE: 'true',
    POSTEL_SECRET: randomBytes(32).toString('base64'),
    API_PORT: `${apiPort}`,
    METRICS_PORT: '0',
  }
  api = new AppProcess('api', 'api', env, join(directory, 'api.log'))
  await api.start()
})

afterAll(async () => {
  await api.end('SIGTERM')
  await system.stop()
  rmSync(directory, { recursive: true })
})

/** A forged line, a colour, a title, a bell, a tab, NUL, DEL, C1, 8-bit, line separators, text turned round, HTML, a quote. */
const nasty = [
  '\rX-Forged: yes',
  '\x1b[31mred\x1b]0;title\x07',
  '\t\0\x7f\x9b31m',
  'caf\xe9 \xff\xfe',
  '\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae',
  '<script>alert(1)</script>',
  `'"\\'); drop table x; --`,
  'z'.repeat(4_000),
].join(' ')

const unsafe = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufffe]/u

const steps: [string, MxScript, string][] = [
  ['the greeting', { greeting: `554 5.3.2 ${nasty}` }, 'bounced'],
  ['EHLO', { ehlo: `554 5.3.2 ${nasty}` }, 'bounced'],
  ['MAIL', { mail: `550 5.7.1 ${nasty}` }, 'bounced'],
  ['RCPT', { rcpt: `550 5.1.1 ${nasty}` }, 'bounced'],
  ['RCPT, for now', { rcpt: `451 4.7.1 ${nasty}` }, 'deferred'],
  ['RCPT, in many lines', { rcpt: `${`550-5.1.1 ${nasty}\r\n`.repeat(5)}550 5.1.1 ${nasty}` }, 'bounced'],
  ['DATA', { data: `554 5.7.1 ${nasty}` }, 'bounced'],
  ['the final dot', { dot: `554 5.7.1 ${nasty}` }, 'bounced'],
  ['the final dot, taking it', { dot: `250 2.0.0 ${nasty}` }, 'delivered'],
  ['STARTTLS', { starttls: { refuses: `454 4.7.0 ${nasty}` } }, 'delivered'],
]

test.each(steps)('what the remote says to %s (D-14)', async (_step, script, state) => {
  const { postel, mx } = system
  mx.script = script
  const id = await postel.submit({ to: `reader@${system.freshDomain()}`, data: message() })
  expect((await postel.settled(id)).map((delivery) => delivery.state)).toEqual([state])

  // psql: the tables, and the screens that people look at
  const rows = await postel.sql`
    select to_jsonb(a) as row from postel.attempts a where message_id = ${id}
    union all select to_jsonb(d) from postel.deliveries d where message_id = ${id}
    union all select to_jsonb(w) from postel.waiting w where message_id = ${id}
    union all select to_jsonb(e) from postel.explain(${id}::uuid) as e
    union all select to_jsonb(f) from postel.recent_failures f where message_id = ${id}
    union all select to_jsonb(s) from postel.ip_sites s`
  const shown = texts(rows.map(({ row }) => row))
  expect(shown.filter((text) => unsafe.test(text))).toEqual([])
  expect(Math.max(...shown.map((text) => text.length))).toBeLessThanOrEqual(1_000)
  expect(shown.some((text) => text.includes('<script>alert(1)</script>'))).toBe(true)

  // REST: JSON whose text is the same
  const reply = await fetch(`http://127.0.0.1:${apiPort}/emails/${id}`, {
    headers: { authorization: `Bearer ${postel.key}` },
  })
  expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8'])
  const email = (await reply.json()) as { recipients: { last_reply: string }[] }
  expect(email.recipients.map(({ last_reply }) => last_reply)).toEqual(
    (await postel.deliveries(id)).map((delivery) => delivery.reply),
  )
})

/** Every text in rows, however deep. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : []
}
