/** A message can be followed through the logs of all apps by its ids, and these show nothing of what it says. */
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { readConfig as readApiConfig } from '@postel/api/config'
import { ApiService } from '@postel/api/service'
import { readConfig as readInboundConfig } from '@postel/inbound/config'
import { InboundService } from '@postel/inbound/service'
import { readConfig as readOutboundConfig } from '@postel/outbound/config'
import { OutboundService } from '@postel/outbound/service'
import { createLogger } from '@postel/runtime/logger'
import { readConfig as readWorkerConfig } from '@postel/worker/config'
import { WorkerService } from '@postel/worker/service'
import { RawSmtp } from '../support/raw-smtp.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

type Line = { level: number; app: string; event: string } & Record<string, unknown>

const local = 'very.private.person'
const content = 'nobody else may read this'
const lines: Line[] = []
let system: System
let api: ApiService
let inbound: InboundService
const services: { start(): Promise<void>; stop(): Promise<void> }[] = []

const log = (app: string) =>
  createLogger(app, 'debug', { write: (line) => void lines.push(JSON.parse(line)) })

beforeAll(async () => {
  system = await startSystem({
    inbound: false,
    outbound: false,
    mx: { rcpt: { [`${local}.gone@dest.test`]: `550 5.1.1 ${local}.gone is unknown` } },
  })
  const { postel, outboundEnv } = system
  const env = {
    ...outboundEnv,
    DATABASE_URL: postel.databaseUrl,
    POSTEL_SECRET: postel.secret,
    POSTEL_UNSAFE_DATABASE: 'true',
    METRICS_PORT: '0',
    API_PORT: '0',
    SMTP_SUBMISSION_PORT: '0',
    SMTP_SUBMISSIONS_PORT: '0',
    SMTP_MX_PORT: '0',
    DELIVERY_ALLOW_PRIVATE: 'true',
    OUTBOUND_ADDRESSES: '127.0.0.1',
  }
  api = new ApiService(readApiConfig(env), log('api'))
  inbound = new InboundService(readInboundConfig(env), log('inbound'))
  services.push(api, inbound)
  services.push(new OutboundService(readOutboundConfig(env), log('outbound')))
  services.push(new WorkerService(readWorkerConfig(env), log('worker')))
  for (const service of services) await service.start()
})
afterAll(async () => {
  for (const service of services.reverse()) await service.stop()
  await system.stop()
})

const linesOf = (app: string, event: string) =>
  lines.filter((line) => line.app === app && line.event === event)

/** With a sender that is not the project's, which is refused. */
async function submit(): Promise<string> {
  const client = await RawSmtp.connect(inbound.ports.submission)
  await client.expect(220, 'connecting')
  await client.ehlo()
  await client.say(`MAIL FROM:<${local}@elsewhere.test>`, /^550 /)
  await client.say(`MAIL FROM:<${local}@example.test>`, 250)
  await client.say(`RCPT TO:<${local}@dest.test> UNKNOWN=1`, /^555 /)
  await client.say(`RCPT TO:<${local}.gone@dest.test>`, 250)
  await client.say('DATA', 354)
  client.write(`From: ${local}@example.test\r\nSubject: ${content}\r\n\r\n${content}\r\n.\r\n`)
  const reply = await client.expect(250, 'the message')
  client.destroy()
  return /queued as (\S+)/.exec(reply)![1]!
}

const post = (headers: Record<string, string>, to = `${local}@dest.test`) =>
  fetch(`http://127.0.0.1:${api.ports.api}/emails`, {
    method: 'POST',
    headers: { authorization: `Bearer ${system.postel.key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ from: `${local}@example.test`, to, subject: content, text: content }),
  })

test('by SMTP: session → message → try', async () => {
  const id = await submit()
  await system.postel.settled(id)
  const [accepted] = linesOf('inbound', 'accepted').filter(({ message }) => message === id)
  expect(accepted!.session).toEqual(expect.stringMatching(/^\w+$/))
  const ofSession = linesOf('inbound', 'refused').filter(({ session }) => session === accepted!.session)
  expect(ofSession.map(({ step }) => step)).toEqual(['mail', 'rcpt'])
  const tried = await waitFor(async () => linesOf('outbound', 'tried').find(({ message }) => message === id))
  expect(tried).toMatchObject({
    message: id,
    queue: expect.any(Number),
    ip: expect.any(Number),
    recipients: [{ number: 1, outcome: 'bounced', category: 'invalid_recipient', code: 550 }],
  })
})

test("by REST: the proxy's request id → message → try", async () => {
  const response = await post({ 'x-request-id': 'proxy-made-this-1' })
  const { id } = (await response.json()) as { id: string }
  expect(response.headers.get('x-request-id')).toBe('proxy-made-this-1')
  await system.postel.settled(id)
  expect(linesOf('api', 'accepted').find(({ messages }) => String(messages) === id)).toMatchObject({
    request: 'proxy-made-this-1',
  })
  expect(
    await waitFor(async () =>
      linesOf('api', 'served').find(({ request }) => request === 'proxy-made-this-1'),
    ),
  ).toMatchObject({ route: '/emails', status: 200 })
  await waitFor(async () => linesOf('outbound', 'tried').find(({ message }) => message === id))
})

test.each([
  ['none', undefined],
  ['one that is too short', 'x'],
  ['one that would break a log', 'a b"c{}'],
  ['one that is too long', 'x'.repeat(65)],
])('a request with %s gets an id', async (_, given) => {
  const response = await post(given === undefined ? {} : { 'x-request-id': given }, 'not an address')
  expect(response.status).toBe(422)
  expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/)
})

test('tasks name their jobs', async () => {
  await system.postel.sql`select graphile_worker.add_job('sweep')`
  expect(
    await waitFor(async () => linesOf('worker', 'task_done').find(({ task }) => task === 'sweep')),
  ).toMatchObject({
    job: expect.stringMatching(/^\d+$/),
  })
})

test('what goes wrong in the database is logged without the rows that it was about', async () => {
  const error = await system.postel.sql`
    insert into postel.suspensions (domain, reason) values (${local}, ${content}), (${local}, ${content})`.catch(
    (error: unknown) => error,
  )
  expect(JSON.stringify(error)).toContain(local)
  log('inbound').warn({ event: 'store_failed', err: error })
  const [line] = linesOf('inbound', 'store_failed')
  expect(line!.err).toMatchObject({ code: '23505', message: expect.stringContaining('suspensions_domain') })
})

test('from info on there is neither a local part nor what the mail says', () => {
  const shown = lines.filter(({ level }) => level >= 30)
  expect(shown.length).toBeGreaterThan(5)
  expect(shown.filter((line) => JSON.stringify(line).includes(local))).toEqual([])
  expect(lines.filter((line) => JSON.stringify(line).includes(content))).toEqual([])
})
