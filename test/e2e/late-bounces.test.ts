// Mail that a remote took and then sends back, or that its reader complains of: its sender sees it and is told, once, and the
// recipient gets no more. Only whoever has got the mail can say so (D-30).
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { findEmail, listEmails } from '@postel/db/queries/emails'
import { returnToken } from '@postel/mail/return-path'
import { createSecretBox } from '@postel/runtime/secret-box'
import { WebhookEndpoint } from '@postel/worker/testing/webhook-endpoint'
import { dsn, feedback, sendBack } from '../support/incoming.ts'
import { message, type Postel } from '../support/postel.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

let system: System
let postel: Postel
let endpoint: WebhookEndpoint
let tenant: { organizationId: string; projectId: null }

beforeAll(async () => {
  system = await startSystem({ worker: { WEBHOOKS_ALLOW_PRIVATE: 'true' } })
  postel = system.postel
  endpoint = await WebhookEndpoint.start()
  await postel.sql`update postel.domains set return_path_verified_at = now()`
  const [project] = await postel.sql<{ organizationId: string }[]>`
    update postel.projects set reports = 'failures' returning organization_id as "organizationId"`
  tenant = { organizationId: project!.organizationId, projectId: null }
  const [webhook] = await postel.sql<{ id: string }[]>`select postel.uuid_v7() as id`
  await postel.sql`
    insert into postel.webhooks (id, organization_id, endpoint, events, secret)
    values (
      ${webhook!.id}, ${tenant.organizationId}, ${endpoint.url('/')}, ${['email.bounced', 'email.complained']},
      ${createSecretBox(postel.secret).seal(randomBytes(24), webhook!.id)}
    )`
})

afterAll(async () => {
  await system.stop()
  endpoint.stop()
})

let count = 0

/** Delivers a message to new recipients; gives its id and the return path that it left with. */
async function deliver(...names: string[]): Promise<{ id: string; to: string[]; returnPath: string }> {
  const to = names.map((name) => `${name}-${++count}@dest.test`)
  const id = await postel.submit({ to, data: message() })
  await waitFor(async () => (await postel.states(id)).every((state) => state.endsWith(' delivered')))
  return { id, to, returnPath: system.mx.messages.find((mail) => mail.to.includes(to[0]!))!.from }
}

async function shown(id: string): Promise<string[]> {
  const email = await findEmail(postel.sql, tenant, id)
  return [email!.lastEvent, ...email!.recipients.map(({ state }) => state)]
}

/** What came back about a message. */
async function events(id: string): Promise<string[]> {
  const rows = await postel.sql<{ event: string }[]>`
    select concat_ws(' ', e.type, e.number, e.data ->> 'category', e.data ->> 'permanent') as event from postel.events e
    where e.message_id = ${id} and e.type in ('returned', 'return_delayed', 'confirmed', 'complained') order by e.id`
  return rows.map(({ event }) => event)
}

async function suppressed(address: string): Promise<string | undefined> {
  await postel.sql`select graphile_worker.add_job('suppressions')`
  const [row] = await postel.sql<{ origin: string }[]>`
    select s.origin from postel.suppressions s where s.address = ${address}`
  return row?.origin
}

async function toldOf(id: string): Promise<{ type: string; data: Record<string, unknown> }[]> {
  await postel.sql`select graphile_worker.add_job('webhooks')`
  return endpoint.told.map(({ body }) => JSON.parse(body)).filter(({ data }) => data.email_id === id)
}

test('a bounce after delivery: shown, told, and the recipient is suppressed', async () => {
  const { id, to, returnPath } = await deliver('late')
  expect(await shown(id)).toEqual(['delivered', 'delivered'])
  expect(await sendBack(postel, { to: returnPath, data: dsn({ recipient: to[0]! }) })).toMatch(/^250 2\./)
  expect(await shown(id)).toEqual(['bounced', 'bounced'])
  const page = await listEmails(postel.sql, tenant, { limit: 10 }, { events: ['bounced'] })
  expect(page.rows.map((row) => row.id)).toContain(id)
  // What is true stays on record
  expect(await postel.states(id)).toEqual([`${to[0]} delivered`])
  expect(await waitFor(() => suppressed(to[0]!))).toBe('bounce')
  const [told] = await waitFor(async () => {
    const all = await toldOf(id)
    return all.length > 0 && all
  })
  expect(told).toMatchObject({
    type: 'email.bounced',
    data: {
      to,
      bounce: { type: 'Permanent', subType: 'General', message: expect.stringContaining('User unknown') },
    },
  })
  const [explained] = await postel.sql`select state, last_reply from postel.explain(${id})`
  expect(explained).toEqual({ state: 'returned', last_reply: expect.stringContaining('550 5.1.1') })
})

test('a complaint: shown, told, and the recipient is suppressed', async () => {
  const { id, to, returnPath } = await deliver('annoyed')
  const report = feedback(`Return-Path: <${returnPath}>\r\nSubject: News\r\n\r\nBuy!\r\n`)
  expect(
    await sendBack(postel, { from: 'feedback@provider.test', to: 'fbl@mail.postel.test', data: report }),
  ).toMatch(/^250 /)
  expect(await shown(id)).toEqual(['complained', 'delivered'])
  expect(await waitFor(() => suppressed(to[0]!))).toBe('complaint')
  const [told] = await waitFor(async () => {
    const all = await toldOf(id)
    return all.length > 0 && all
  })
  expect(told).toMatchObject({ type: 'email.complained', data: { to } })
})

test('its sender gets a report, where he gets them', async () => {
  const { id, to, returnPath } = await deliver('reported')
  await sendBack(postel, { to: returnPath, data: dsn({ recipient: to[0]!, status: '5.2.1' }) })
  await postel.sql`select graphile_worker.add_job('reports')`
  const [row] = await waitFor(async () => {
    const rows = await postel.sql<{ raw: string }[]>`
      select convert_from(b.body, 'LATIN1') as raw from postel.reports r
      join postel.message_bodies b on b.message_id = r.report_id where r.message_id = ${id}`
    return rows.length > 0 && rows
  })
  expect(row!.raw).toContain(`Final-Recipient: rfc822; ${to[0]}\r\nAction: failed\r\nStatus: 5.2.1\r\n`)
})

test('a report of success is passed on to the sender who asked for it, and to no other', async () => {
  const client = await postel.session()
  const to = `asked-${++count}@dest.test`
  await client.say('MAIL FROM:<sender@example.test>', 250)
  await client.say(`RCPT TO:<${to}> NOTIFY=SUCCESS`, 250)
  await client.say('DATA', 354)
  client.write(`${message()}.\r\n`)
  const id = /queued as (\S+)/.exec(await client.expect(250))![1]!
  await waitFor(async () => (await postel.states(id))[0] === `${to} delivered`)
  const success = (recipient: string) =>
    dsn({ recipient, action: 'delivered', status: '2.0.0', diagnostic: '250 2.0.0 ok' })
  const returnPath = system.mx.messages.find((mail) => mail.to.includes(to))!.from
  await sendBack(postel, { to: returnPath, data: success(to) })
  const other = await deliver('unasked')
  await sendBack(postel, { to: other.returnPath, data: success(other.to[0]!) })
  expect([await events(id), await events(other.id)]).toEqual([['confirmed 1'], []])
  expect(await shown(id)).toEqual(['delivered', 'delivered'])
  await postel.sql`select graphile_worker.add_job('reports')`
  const [row] = await waitFor(async () => {
    const rows = await postel.sql<{ raw: string }[]>`
      select convert_from(b.body, 'LATIN1') as raw from postel.reports r
      join postel.message_bodies b on b.message_id = r.report_id where r.message_id = ${id}`
    return rows.length > 0 && rows
  })
  expect(row!.raw).toContain(`Final-Recipient: rfc822; ${to}\r\nAction: delivered\r\nStatus: 2.0.0\r\n`)
})

describe('what is written down', () => {
  test('the same bounce twice, also at once, counts once', async () => {
    const { id, to, returnPath } = await deliver('twice')
    const data = dsn({ recipient: to[0]! })
    const replies = await Promise.all(
      Array.from({ length: 6 }, () => sendBack(postel, { to: returnPath, data })),
    )
    expect(replies.every((reply) => reply.startsWith('250 '))).toBe(true)
    expect(await events(id)).toEqual(['returned 1 invalid_recipient true'])
  })

  test('of a message to several in one transaction, those that are named', async () => {
    const { id, to, returnPath } = await deliver('one', 'two', 'three')
    await sendBack(postel, {
      to: returnPath,
      data: dsn({ recipient: to[1]!.toUpperCase(), status: '5.2.2', diagnostic: '552 5.2.2 Mailbox full' }),
    })
    await sendBack(postel, { to: returnPath, data: dsn({ recipient: 'stranger@dest.test' }) })
    expect(await events(id)).toEqual(['returned 2 mailbox_full true'])
    expect(await shown(id)).toEqual(['bounced', 'delivered', 'bounced', 'delivered'])
    // It may have room again tomorrow
    expect(await suppressed(to[1]!)).toBeUndefined()
  })

  test('what is only late there is noted, and stays delivered', async () => {
    const { id, to, returnPath } = await deliver('slow')
    await sendBack(postel, {
      to: returnPath,
      data: dsn({
        recipient: to[0]!,
        action: 'delayed',
        status: '4.4.1',
        diagnostic: '451 4.4.1 connection timed out',
      }),
    })
    expect(await events(id)).toEqual(['return_delayed 1 timeout false'])
    expect(await shown(id)).toEqual(['delivered', 'delivered'])
  })

  test('a vacation notice is taken and means nothing', async () => {
    const { id, to, returnPath } = await deliver('away')
    const data = `From: ${to[0]}\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nBack on Monday.\r\n`
    expect(await sendBack(postel, { to: returnPath, data })).toMatch(/^250 /)
    expect(await events(id)).toEqual([])
  })

  test('what comes before its delivery is recorded is asked to come again', async () => {
    const { id, to, returnPath } = await deliver('early')
    await postel.sql`update postel.deliveries set state = 'queued' where message_id = ${id}`
    expect(await sendBack(postel, { to: returnPath, data: dsn({ recipient: to[0]! }) })).toMatch(
      /^451 4\.3\.0 /,
    )
    await postel.sql`update postel.deliveries set state = 'delivered' where message_id = ${id}`
    expect(await sendBack(postel, { to: returnPath, data: dsn({ recipient: to[0]! }) })).toMatch(/^250 /)
    expect(await events(id)).toEqual(['returned 1 invalid_recipient true'])
  })
})

describe('who may say so', () => {
  test.each(['forged', 'changed', "at another's domain", 'long ago', 'of nothing'])(
    'a token %s: refused',
    async (how) => {
      const { id, to, returnPath } = await deliver('victim')
      const [token, host] = returnPath.split('@') as [string, string]
      const secret = Buffer.from(postel.secret, 'base64')
      const month = id.replace(
        /^.{8}-.{4}/,
        (Date.now() - 31 * 86_400_000)
          .toString(16)
          .padStart(12, '0')
          .replace(/^(.{8})/, '$1-'),
      )
      const none = id.replace(/.{4}$/, (end) => (end === 'ffff' ? '0000' : 'ffff'))
      const address = {
        forged: `${returnToken({ messageId: id, number: 1 }, randomBytes(32))}@${host}`,
        changed: `${token.slice(0, 30)}${token[30] === 'a' ? 'b' : 'a'}${token.slice(31)}@${host}`,
        "at another's domain": `${token}@send.other.test`,
        'long ago': `${returnToken({ messageId: month, number: 1 }, secret)}@${host}`,
        'of nothing': `${returnToken({ messageId: none, number: 1 }, secret)}@${host}`,
      }[how]!
      await postel.addOrganization(`other-${count}.test`)
      expect(await sendBack(postel, { to: address, data: dsn({ recipient: to[0]! }) })).toMatch(
        /^550 5\.[17]\.1 /,
      )
      expect(await events(id)).toEqual([])
    },
  )

  test('a complaint with a forged token, or none, means nothing', async () => {
    const { id, returnPath } = await deliver('framed')
    const forged = `${returnToken({ messageId: id, number: 1 }, randomBytes(32))}@${returnPath.split('@')[1]}`
    for (const original of [`Return-Path: <${forged}>\r\n\r\nx\r\n`, 'Subject: no token\r\n\r\nx\r\n'])
      expect(await sendBack(postel, { to: 'abuse@mail.postel.test', data: feedback(original) })).toMatch(
        /^250 /,
      )
    expect(await events(id)).toEqual([])
  })

  test('the message says nothing of whom it concerns: a bounce that names another message changes that one not', async () => {
    const [mine, other] = [await deliver('mine'), await deliver('other')]
    const data = dsn({ recipient: other.to[0]!, original: `Return-Path: <${other.returnPath}>\r\n\r\nx\r\n` })
    await sendBack(postel, { to: mine.returnPath, data })
    expect([await events(mine.id), await events(other.id)]).toEqual([
      ['returned 1 invalid_recipient true'],
      [],
    ])
  })

  test('a token of the secret before still counts', async () => {
    const previous = randomBytes(32)
    const { id, to, returnPath } = await deliver('rotated')
    const inbound = await postel.startInbound({ POSTEL_SECRET_PREVIOUS: previous.toString('base64') })
    const address = `${returnToken({ messageId: id, number: 1 }, previous)}@${returnPath.split('@')[1]}`
    expect(await sendBack(postel, { to: address, data: dsn({ recipient: to[0]! }) })).toMatch(/^250 /)
    expect(await events(id)).toEqual(['returned 1 invalid_recipient true'])
    await inbound.stop()
  })
})
