// POSTEL_SECRET is replaced while mail flows: two are live meanwhile, and with a wrong one nothing leaves unsigned.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { readConfig } from '@postel/outbound/config'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

const next = randomBytes(32).toString('base64')
let system: System
let outbound: { stop(): Promise<void> } | undefined

beforeAll(async () => {
  system = await startSystem({
    outbound: false,
    domains: ['example.test', 'swapped.test'],
    dkim: ['rsa-sha256', 'ed25519-sha256'],
  })
})
afterEach(async () => {
  await outbound?.stop()
  outbound = undefined
})
afterAll(() => system.stop())

const start = async (env: Record<string, string>) => {
  outbound = await system.postel.startOutbound({ ...system.outboundEnv, ...env })
}
/** `npm run db:migrate`. */
async function migrate(previous: string): Promise<string> {
  const file = fileURLToPath(new URL('../../db/src/migrate-main.ts', import.meta.url))
  const env = {
    DATABASE_URL: system.postel.databaseUrl,
    POSTEL_SECRET: next,
    POSTEL_SECRET_PREVIOUS: previous,
  }
  return (await promisify(execFile)(process.execPath, [file], { env })).stdout
}
const submit = () => system.postel.submit({ to: 'reader@dest.test', data: message() })
async function signatures(id: string): Promise<number> {
  expect(await system.postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
  const raw = system.mx.messages.at(-1)!.content
  return raw.match(/^DKIM-Signature: /gm)?.length ?? 0
}

test('without a secret, or with one that opens nothing, outbound does not start, and no mail leaves', async () => {
  const { postel } = system
  expect(() => readConfig({ DATABASE_URL: postel.databaseUrl })).toThrow('POSTEL_SECRET: must be set')
  const id = await submit()
  await expect(start({ POSTEL_SECRET: next })).rejects.toThrow('POSTEL_SECRET opens none of the DKIM keys')
  expect(await postel.states(id)).toEqual(['reader@dest.test queued'])
  expect(system.mx.sessions).toEqual([])
})

test('the new secret beside the old one opens what that sealed', async () => {
  await start({ POSTEL_SECRET: next, POSTEL_SECRET_PREVIOUS: system.postel.secret })
  expect(await signatures(await submit())).toBe(2)
})

test('everything is sealed anew while the apps run, and then the old one opens nothing', async () => {
  const { secret } = system.postel
  await start({ POSTEL_SECRET: next, POSTEL_SECRET_PREVIOUS: secret })
  expect(await migrate(secret)).toContain('4 secrets are under the new POSTEL_SECRET now.\n')
  expect(await migrate(secret)).toContain('0 secrets are under the new POSTEL_SECRET now.\n')
  expect(await signatures(await submit())).toBe(2)
  await outbound!.stop()
  await expect(start({})).rejects.toThrow('POSTEL_SECRET opens none')
  await start({ POSTEL_SECRET: next })
  expect(await signatures(await submit())).toBe(2)
})

test('keys of one domain under another open nothing: its mail waits, unsigned, and the others go (T-13)', async () => {
  // Its rows as they are under another domain: what binds them to that one fails
  await system.postel.sql`
    update postel.dkim_keys k set private_key = o.private_key
    from postel.dkim_keys o, postel.domains d
    where o.domain_id <> k.domain_id and o.algorithm = k.algorithm and d.id = k.domain_id and d.name = 'swapped.test'`
  await start({ POSTEL_SECRET: next })
  const waiting = await system.postel.submit({
    from: 'sender@swapped.test',
    to: 'reader@dest.test',
    data: message().replace('example.test', 'swapped.test'),
  })
  expect(await signatures(await submit())).toBe(2)
  const [delivery] = await system.postel.settled(waiting)
  expect(delivery).toMatchObject({ state: 'deferred', reply: expect.stringContaining('DKIM key') })
})
