/** IP_PROVIDER names the provider, which uses what the configuration has for it, and whoever configures is told what is missing. */
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { readConfig } from '../config.ts'
import { FakeHetzner } from '../testing/fake-hetzner.ts'
import { FakeUpCloud } from '../testing/fake-upcloud.ts'
import { createProvider } from './create-provider.ts'

let hetzner: FakeHetzner
let upcloud: FakeUpCloud
const { signal } = new AbortController()
const DATABASE_URL = 'postgres://localhost/postel'

beforeEach(async () => {
  hetzner = await new FakeHetzner().start()
  upcloud = await new FakeUpCloud().start()
})
afterEach(() => {
  hetzner.stop()
  upcloud.stop()
})

function provider(env: NodeJS.ProcessEnv) {
  const fleet = { nodes: [], addresses: [] }
  return createProvider(
    readConfig({ DATABASE_URL, ...env }),
    async () => fleet,
    async () => {},
  )
}

test.each<[string, () => NodeJS.ProcessEnv]>([
  ['hetzner', () => ({ HETZNER_TOKEN: `${hetzner.token}\n`, IP_PROVIDER_URL: `${hetzner.url}/` })],
  ['upcloud', () => ({ UPCLOUD_TOKEN: upcloud.token, IP_PROVIDER_URL: upcloud.url })],
  [
    'upcloud',
    () => ({
      UPCLOUD_USERNAME: upcloud.username,
      UPCLOUD_PASSWORD: upcloud.password,
      IP_PROVIDER_URL: upcloud.url,
    }),
  ],
  ['static', () => ({})],
])('%s works with its settings', async (name, env) => {
  const made = provider({ IP_PROVIDER: name, ...env() })
  expect([made.name, await made.listAddresses(signal), await made.listServers(signal)]).toEqual([
    name,
    [],
    [],
  ])
})

test.each([
  ['hetzner without a token', { IP_PROVIDER: 'hetzner' }, 'HETZNER_TOKEN: must be set'],
  ['upcloud without anything', { IP_PROVIDER: 'upcloud' }, 'UPCLOUD_TOKEN: must be set'],
  ['upcloud with half', { IP_PROVIDER: 'upcloud', UPCLOUD_USERNAME: 'x' }, 'UPCLOUD_TOKEN: must be set'],
  [
    'a token that is two',
    { IP_PROVIDER: 'hetzner', HETZNER_TOKEN: 'a b' },
    'HETZNER_TOKEN: must be one word',
  ],
  ['another cloud', { IP_PROVIDER: 'aws' }, 'IP_PROVIDER: must be static, upcloud or hetzner'],
])('%s is refused, and its secret is not told', (_name, env, problem) => {
  let message = ''
  try {
    provider(env)
  } catch (error) {
    message = (error as Error).message
  }
  expect(message).toContain(problem)
  expect(message).not.toContain('a b')
})
