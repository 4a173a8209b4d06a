// A notification is only a hint: mail leaves without it, and a subscription that breaks is built anew.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Submitter } from '@postel/db/submitter'
import { message, type Postel } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let polling: System
let listening: System

beforeAll(async () => {
  ;[polling, listening] = await Promise.all([
    startSystem({ outbound: { OUTBOUND_POLL_SECONDS: '1' } }),
    // So long a poll that only a hint or a rescan explains a delivery within seconds
    startSystem({ outbound: { OUTBOUND_POLL_SECONDS: '60' } }),
  ])
})

afterAll(() => Promise.all([polling.stop(), listening.stop()]))

/** Stores a message and tells nobody. */
async function storeInSilence(postel: Postel, to: string): Promise<string> {
  const [project] = await postel.sql`select id, organization_id from postel.projects`
  const submitter = new Submitter({ url: postel.databaseUrl, name: 'silent', onStored: () => {}, writers: 1 })
  const id = await submitter.submit({
    organizationId: project!.organization_id,
    projectId: project!.id,
    source: 'smtp',
    envelopeFrom: 'sender@example.test',
    signingDomain: null,
    messageIdHeader: '<1@x.test>',
    headerFrom: 'sender@example.test',
    subject: '',
    recipients: [{ address: to, domain: to.split('@')[1]! }],
    raw: Buffer.from(message()),
  })
  await submitter.stop()
  return id
}

async function listenerPids(postel: Postel): Promise<number[]> {
  const rows = await postel.sql<{ pid: number }[]>`
    select pid from pg_stat_activity
    where application_name = 'postel-outbound-listen' and datname = current_database()`
  return rows.map(({ pid }) => pid)
}

/** Gives the process id of the backend that is no more. */
async function killListener(postel: Postel): Promise<number> {
  const [pid, ...more] = await listenerPids(postel)
  expect(more).toEqual([])
  await postel.sql`select pg_terminate_backend(${pid!}, 5000)`
  return pid!
}

test('a lost notification costs no more than the poll interval', async () => {
  const id = await storeInSilence(polling.postel, 'reader@dest.test')
  expect(await polling.postel.finalStates(id, 5)).toEqual(['reader@dest.test delivered'])
})

test('mail whose notification was lost is found when a broken subscription is back', async () => {
  const { postel } = listening
  const id = await storeInSilence(postel, 'reader@dest.test')
  expect(await postel.states(id)).toEqual(['reader@dest.test queued'])
  await killListener(postel)
  expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
})

test('after a broken subscription, hints are heard again', async () => {
  const { postel } = listening
  const before = await killListener(postel)
  await waitFor(async () => (await listenerPids(postel)).some((pid) => pid !== before))
  const id = await postel.submit({ to: 'reader@dest.test', data: message() })
  expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
})

test('all connections of all apps killed: the next message is stored and delivered', async () => {
  const { postel } = polling
  await postel.sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name like 'postel-%' and datname = current_database()`
  const id = await waitFor(() => postel.submit({ to: 'reader@dest.test', data: message() }))
  expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
})

test('garbage on the channels is passed over', async () => {
  const { postel } = listening
  for (const payload of ['', 'x', '-1', '999999', '1,2,3', '{"a":1}', `${'1,'.repeat(3_000)}1`])
    await postel.sql`select pg_notify('postel_outbound', ${payload}), pg_notify('postel_control', ${payload})`
  const id = await postel.submit({ to: 'reader@dest.test', data: message() })
  expect(await postel.finalStates(id)).toEqual(['reader@dest.test delivered'])
})
