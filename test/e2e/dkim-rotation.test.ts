// New DKIM keys take over without a gap: at every moment all mail carries one RSA and one Ed25519 signature that verify.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { OutboundService } from '@postel/outbound/service'
import { type Verified, verifyDkim } from '../support/dkim-verifier.ts'
import { message } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'

let system: System
let outbound: OutboundService
/** Selectors in order of algorithm. */
let old: string[]
let fresh: string[]

beforeAll(async () => {
  system = await startSystem({
    dkim: ['rsa-sha256', 'ed25519-sha256', 'rsa-sha256', 'ed25519-sha256'],
    outbound: false,
  })
  const keys = await system.postel.sql<{ selector: string }[]>`
    select selector from postel.dkim_keys order by row_number() over (partition by algorithm order by id), algorithm`
  const selectors = keys.map(({ selector }) => selector)
  old = selectors.slice(0, 2)
  fresh = selectors.slice(2)
  await system.postel.sql`
    update postel.dkim_keys set created_at = created_at - interval '1 year' where selector = any (${old})`
  await setActive(old)
  outbound = await system.postel.startOutbound(system.outboundEnv)
})

afterAll(() => system.stop())

async function setActive(selectors: string[]): Promise<void> {
  await system.postel.sql`update postel.dkim_keys set active = selector = any (${selectors})`
}

async function send(): Promise<Verified[]> {
  const { postel, mx } = system
  await postel.settled(await postel.submit({ to: 'reader@dest.test', data: message() }))
  return verifyDkim(postel.sql, mx.messages.at(-1)!.content)
}

const passes = (signatures: Verified[]) =>
  expect(signatures.map(({ algorithm, result }) => `${algorithm} ${result}`)).toEqual([
    'ed25519-sha256 pass',
    'rsa-sha256 pass',
  ])

test('while the active keys change under a running process, and after it was restarted', async () => {
  const stages: [active: string[], signing: string[]][] = [
    [old, old],
    [[...old, ...fresh], fresh],
    [fresh, fresh],
    // back again: the new keys turned out wrong
    [old, old],
    [
      [old[0]!, fresh[1]!],
      [old[0]!, fresh[1]!],
    ],
  ]
  for (const [active, signing] of stages) {
    await setActive(active)
    // The running process may still sign with what it knows; DNS has both
    for (let round = 0; round < 3; round++) passes(await send())
    await outbound.stop()
    outbound = await system.postel.startOutbound(system.outboundEnv)
    const signatures = await send()
    passes(signatures)
    expect(signatures.map(({ selector }) => selector)).toEqual(signing)
  }
})
