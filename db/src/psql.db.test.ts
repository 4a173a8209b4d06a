/** What people do in psql: submit, ask why, look around. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { type ParsedMail, simpleParser } from 'mailparser'
import { connect, type Sql } from './client.ts'
import { createTestDatabase, type TestDatabase } from './testing/create-test-database.ts'
import {
  inconsistencies,
  makeTenant,
  queueRow,
  stateOf,
  type Tenant,
  unique,
  until,
} from './testing/factories.ts'

let database: TestDatabase
let sql: Sql
let tenant: Tenant
let sender: string

beforeAll(async () => {
  database = await createTestDatabase()
  sql = connect(database.url, { name: 'test', max: 2 })
})
afterAll(async () => {
  expect(await inconsistencies(sql)).toEqual([])
  await sql.end({ timeout: 1 })
  await database.drop()
})
beforeEach(async () => {
  tenant = await makeTenant(sql)
  sender = `ann@${tenant.domain}`
})

async function rawOf(messageId: string): Promise<Buffer> {
  const [row] = await sql<{ body: Buffer }[]>`
    select body from postel.message_bodies where message_id = ${messageId} and encoding = 0`
  return row!.body
}

async function stored(messageId: string): Promise<{ raw: string; mail: ParsedMail }> {
  const raw = await rawOf(messageId)
  // On the wire: CRLF only, lines of at most 998 octets, nothing but ASCII as we composed it
  expect(raw.toString('latin1')).not.toMatch(/\r(?!\n)|(?<!\r)\n|[^\r\n]{999}/)
  return { raw: raw.toString('latin1'), mail: await simpleParser(raw) }
}

const addressesIn = (mail: ParsedMail, header: 'from' | 'to') =>
  [mail[header] ?? []].flat().flatMap((part) => part.value.map(({ name, address }) => `${name}|${address}`))

describe('send', () => {
  type Arguments = {
    from?: string
    to?: string[]
    subject?: string | null
    text?: string | null
    html?: string
    project?: string
    pool?: string
    sendAt?: Date
  }
  async function send(options: Arguments = {}): Promise<string> {
    const {
      from = sender,
      to = ['bob@dest.test'],
      subject = 'Hello',
      text = 'text',
      html,
      project,
      pool,
      sendAt,
    } = options
    const [row] = await sql<{ id: string }[]>`
      select postel.send(
        ${from}, ${to}, ${subject}, ${text}, html => ${html ?? null}, project => ${project ?? null},
        pool => ${pool ?? null}, send_at => ${sendAt ?? null}
      ) as id`
    return row!.id
  }

  test('composes a message, stores it and says so on the bus', async () => {
    const heard: string[] = []
    const listener = connect(database.url, {
      name: 'listener',
      max: 1,
      onnotify: (channel, payload) => heard.push(`${channel} ${payload}`),
    })
    await listener.unsafe('listen postel_outbound')
    const id = await send({ to: ['bob@dest.test', 'Carol <carol@Other.test>'] })
    await until(() => heard.length > 0)
    await listener.end({ timeout: 1 })
    expect(heard).toEqual([`postel_outbound ${tenant.ips[0]!.id}`])
    expect(await stateOf(sql, id)).toEqual({
      deliveries: ['1 queued', '2 queued'],
      queue: ['dest.test 1', 'other.test 2'],
      waiting: [],
      events: ['accepted'],
    })
    const { mail, raw } = await stored(id)
    expect(addressesIn(mail, 'from')).toEqual([`|${sender}`])
    expect(addressesIn(mail, 'to')).toEqual(['|bob@dest.test', '|carol@other.test'])
    expect({ subject: mail.subject, text: mail.text, html: mail.html }).toEqual({
      subject: 'Hello',
      text: 'text',
      html: false,
    })
    expect(raw).toMatch(/^Date: \w{3}, \d{2} \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r$/m)
    expect(Math.abs(mail.date!.getTime() - Date.now())).toBeLessThan(60_000)
    const [row] = await sql`
      select source, envelope_from, signing_domain, message_id_header, header_from, subject, project_id
      from postel.messages where id = ${id}`
    expect(row).toEqual({
      source: 'sql',
      envelope_from: sender,
      signing_domain: tenant.domain,
      message_id_header: mail.messageId,
      header_from: sender,
      subject: 'Hello',
      project_id: tenant.projectId,
    })
  })

  test.each([
    ['ASCII', 'Your invoice 7/2026'],
    ['accents', 'Größe und Überraschung für Åse'],
    ['emoji and other scripts', '🎉 こんにちは мир — שלום '.repeat(20).trim()],
    ['very long ASCII', 'word '.repeat(300).trim()],
    ['what looks encoded', '=?UTF-8?B?YQ==?= literally'],
    ['nothing', ''],
  ])('a subject of %s reads as it was written', async (_, subject) => {
    const id = await send({ subject })
    const { mail, raw } = await stored(id)
    // What is ASCII is not encoded, so a text that looks encoded is decoded by readers: nobody writes one
    const expected = subject.startsWith('=?') ? 'a literally' : subject
    expect(mail.subject ?? '').toBe(expected)
    const [row] = await sql<{ subject: string }[]>`select subject from postel.messages where id = ${id}`
    expect(row!.subject).toBe([...expected].slice(0, 998).join(''))
    for (const line of raw.split('\r\n'))
      if (line.includes('=?UTF-8?B?')) expect(line.length).toBeLessThan(77)
  })

  test.each([
    ['Ann', 'Ann'],
    ['Ann Å. Ångström', 'Ann Å. Ångström'],
    ['"Smith, Ann"', 'Smith, Ann'],
    ['Smith, Ann', 'Smith, Ann'],
    ['O\'Neil "The Boss"', 'O\'Neil "The Boss'],
    ['back\\slash', 'back\\slash'],
  ])('a sender’s name may be %s', async (name, shown) => {
    const { mail } = await stored(await send({ from: `${name} <${sender}>` }))
    expect(addressesIn(mail, 'from')).toEqual([`${shown}|${sender}`])
  })

  test('text and HTML are alternatives, in any script and with any line ends', async () => {
    const text = 'Grüße\nzweite Zeile\r\n.\r\n..dots\n🎉'
    const html = `<p>Grüße</p>\n<p>${'long '.repeat(500)}</p>`
    const { mail, raw } = await stored(await send({ text, html }))
    expect(mail.text!.replace(/\r\n/g, '\n').trimEnd()).toBe(text.replace(/\r\n/g, '\n'))
    expect((mail.html as string).replace(/\r\n/g, '\n').trimEnd()).toBe(html)
    expect(raw).toMatch(/^Content-Type: multipart\/alternative; boundary=/m)
  })

  test('a time in the future schedules it, for this message only', async () => {
    const sendAt = new Date(Date.now() + 3_600_000)
    const ids = await sql.begin(async (tx) => {
      const [later] = await tx<{ id: string }[]>`
        select postel.send(${sender}, array['bob@dest.test'], 's', 't', send_at => ${sendAt}) as id`
      const [now] = await tx<{ id: string }[]>`
        select postel.submit_raw(${sender}, array['bob@dest.test'], ${Buffer.from(`From: ${sender}\r\n\r\nx`)}) as id`
      return [later!.id, now!.id]
    })
    expect((await stateOf(sql, ids[0]!)).waiting).toEqual(['scheduled dest.test 1'])
    expect((await stateOf(sql, ids[1]!)).queue).toEqual(['dest.test 1'])
    const [job] = await sql`
      select key from graphile_worker.jobs where task_identifier = 'release_due' and run_at >= ${sendAt}`
    expect(job!.key).toMatch(/^release:/)
  })

  test('the project is the one named, and the pool must be its own', async () => {
    const [other] = await sql<{ id: string }[]>`
      insert into postel.projects (organization_id, name, pool_id)
      values (${tenant.organizationId}, 'other', ${tenant.poolId}) returning id`
    const projectOf = async (id: string) => {
      const [row] = await sql<{ id: string }[]>`select project_id as id from postel.messages where id = ${id}`
      return row!.id
    }
    expect(await projectOf(await send())).toBe(tenant.projectId)
    expect(await projectOf(await send({ project: 'other' }))).toBe(other!.id)
    expect(await projectOf(await send({ project: other!.id, pool: tenant.poolName }))).toBe(other!.id)
    await expect(send({ pool: 'elsewhere' })).rejects.toThrow("the project does not use pool 'elsewhere'")
  })

  const urgencyOf = async (id: string) => {
    const [row] = await sql<{ priority: number; seconds: number }[]>`
      select q.priority::int, extract(epoch from m.expires_at - m.created_at)::int as seconds
      from postel.messages m join postel.queue q on q.message_id = m.id where m.id = ${id}`
    return [row!.priority, row!.seconds]
  }
  const sendWith = async (options: object | null) => {
    const [row] = await sql<{ id: string }[]>`
      select postel.send_with(
        ${sender}, array['bob@dest.test'], 'code', '1234', ${JSON.stringify(options)}::text::jsonb
      ) as id`
    return row!.id
  }

  test.each<[object, number[]]>([
    [{}, [50, 259_200]],
    [{ priority: 'high', expires_in: 600 }, [10, 600]],
    [{ priority: 'Low', expires_in: '10m' }, [90, 600]],
    [{ priority: 'normal', expires_in: '2 hours', html: '<b>1234</b>' }, [50, 7_200]],
    [{ expires_in: '10 days', priority: null }, [50, 259_200]],
  ])('send_with takes priority and expiry: %j', async (options, expected) => {
    expect(await urgencyOf(await sendWith(options))).toEqual(expected)
  })

  test('send_with has the options of send', async () => {
    const sendAt = new Date(Date.now() + 3_600_000)
    const id = await sendWith({
      project: tenant.projectName,
      pool: tenant.poolName,
      send_at: sendAt,
      html: '<b>x',
    })
    expect((await stored(id)).mail.html).toContain('<b>x')
    const [row] = await sql`select not_before from postel.waiting where message_id = ${id}`
    expect(row).toEqual({ not_before: sendAt })
  })

  test.each<[object | null, RegExp]>([
    [{ priority: 'urgent' }, /a priority is high, normal or low, not 'urgent'/],
    [{ priority: 10 }, /a priority is high, normal or low, not '10'/],
    [{ expires_in: 0 }, /one second to 30 days, not in '0'/],
    [{ expires_in: '-5 m' }, /one second to 30 days/],
    [{ expires_in: '31d' }, /one second to 30 days/],
    [{ expires_in: 'soon' }, /invalid input syntax for type interval/],
    [{ pool: 'elsewhere' }, /the project does not use pool 'elsewhere'/],
    [{ send_at: 'soon' }, /invalid input syntax for type timestamp/],
    [{ prority: 'high' }, /unknown option 'prority'/],
    [[], /options must be a JSON object/],
    [null, /options must be a JSON object/],
  ])('send_with refuses %j, and stores nothing', async (options, problem) => {
    const [before] = await sql`select count(*) from postel.messages`
    await expect(sendWith(options)).rejects.toThrow(problem)
    expect((await sql`select count(*) from postel.messages`)[0]).toEqual(before)
  })

  test('a subdomain of a verified domain may send, signed by the longest that matches', async () => {
    const id = await send({ from: `ann@news.${tenant.domain}` })
    const [row] = await sql`select signing_domain from postel.messages where id = ${id}`
    expect(row).toEqual({ signing_domain: tenant.domain })
    await expect(send({ from: `ann@evil${tenant.domain}` })).rejects.toThrow('may send from evil')
  })

  test.each<[string, Arguments, RegExp]>([
    ['a sender without a domain', { from: 'ann' }, /not a usable e-mail address: 'ann'/],
    [
      'a sender’s domain that nobody verified',
      { from: 'ann@unverified.test' },
      /no project may send from unverified/,
    ],
    ['a project of somebody else', { project: 'not mine' }, /no project 'not mine' may send/],
    ['no recipient', { to: [] }, /at least one recipient/],
    ['a recipient without a domain', { to: ['bob'] }, /not a usable e-mail address: 'bob'/],
    ['a recipient of one label', { to: ['bob@localhost'] }, /not a usable e-mail address/],
    ['a recipient by number', { to: ['bob@[127.0.0.1]'] }, /not a usable e-mail address/],
    ['two recipients in one', { to: ['a@dest.test,b@dest.test'] }, /not a usable e-mail address/],
    [
      'a recipient with a line break',
      { to: ['bob@dest.test\r\nBcc: eve@evil.test'] },
      /not a usable e-mail address/,
    ],
    ['a subject with a line break', { subject: 'a\r\nBcc: eve@evil.test' }, /must not contain line breaks/],
    ['a subject with a bare line feed', { subject: 'a\nb' }, /must not contain line breaks/],
    ['a name with a line break', { from: 'Ann\r\nBcc: eve@evil.test <a@b.test>' }, /./],
    ['a domain that waits for its proof', { from: 'ann@pending.test' }, /no project may send from pending/],
  ])('%s is refused, and nothing is stored', async (_, options, message) => {
    await sql`
      insert into postel.domains (organization_id, name) values (${tenant.organizationId}, 'pending.test')
      on conflict do nothing`
    const [before] = await sql`select count(*) from postel.messages`
    await expect(send(options)).rejects.toThrow(message)
    expect((await sql`select count(*) from postel.messages`)[0]).toEqual(before)
  })
})

describe('submit_raw', () => {
  async function submit(
    raw: string | Buffer,
    to: string[] = ['bob@dest.test'],
    from = sender,
  ): Promise<string> {
    const [row] = await sql<{ id: string }[]>`
      select postel.submit_raw(${from}, ${to}, ${Buffer.from(raw)}) as id`
    return row!.id
  }
  const message = (...headers: string[]) => [`From: ${sender}`, ...headers, '', 'body'].join('\r\n')

  test('keeps the message as it is, but for line ends and what is missing', async () => {
    const raw = await rawOf(
      await submit(`From: ${sender}\nSubject: x\n folded\n\nline one\rline two\r\n\xe9`),
    )
    const [headers, body] = raw.toString('utf8').split('\r\n\r\n')
    expect(body).toBe('line one\r\nline two\r\n\xe9\r\n')
    expect(headers!.split('\r\n')).toEqual([
      `From: ${sender}`,
      'Subject: x',
      ' folded',
      expect.stringMatching(/^Message-ID: <[0-9a-f]{32}@sender-.*\.test>$/),
      expect.stringMatching(/^Date: /),
    ])
  })

  test('keeps a Date and a Message-ID that are there', async () => {
    const raw = await rawOf(
      await submit(message('DATE: Thu, 01 Jan 2026 00:00:00 +0000', 'message-id:', ' <own@id.test>')),
    )
    expect(raw.toString().match(/^(date|message-id):/gim)).toEqual(['DATE:', 'message-id:'])
    const rows =
      await sql`select message_id_header from postel.messages where message_id_header = '<own@id.test>'`
    expect(rows).toHaveLength(1)
  })

  test('removes Bcc, folded or repeated, and nothing else', async () => {
    const raw = await rawOf(
      await submit(
        message(
          'Bcc: a@one.test,',
          '\tb@two.test',
          'X-Bcc: stays',
          'BCC : c@three.test',
          'Resent-Bcc: d@four.test',
          'To: e@five.test',
        ),
      ),
    )
    expect(raw.toString()).not.toMatch(/one\.test|two\.test|three\.test|four\.test/)
    expect(raw.toString()).toContain('X-Bcc: stays\r\nTo: e@five.test\r\n')
  })

  test('every byte but NUL, CR and LF comes through', async () => {
    const bytes = Buffer.from(
      Array.from({ length: 255 }, (_, byte) => byte + 1).filter((byte) => byte !== 10 && byte !== 13),
    )
    const raw = await rawOf(await submit(Buffer.concat([Buffer.from(`From: ${sender}\r\n\r\n`), bytes])))
    expect(raw.subarray(raw.indexOf('\r\n\r\n') + 4)).toEqual(Buffer.concat([bytes, Buffer.from('\r\n')]))
  })

  test('goes to the recipients given, each once, whatever the headers say', async () => {
    const id = await submit(message('To: x@header.test', 'Cc: y@header.test'), [
      'bob@dest.test',
      'bob@DEST.test',
      'Bob <bob@dest.test>',
      'ann@dest.test',
    ])
    const rows = await sql`select recipient from postel.deliveries where message_id = ${id} order by number`
    expect(rows.map((row) => row.recipient)).toEqual(['bob@dest.test', 'ann@dest.test'])
  })

  test('the null sender is allowed, and its header’s From decides', async () => {
    const id = await submit(message(), ['bob@dest.test'], '')
    const [row] = await sql`select envelope_from, signing_domain from postel.messages where id = ${id}`
    expect(row).toEqual({ envelope_from: '', signing_domain: tenant.domain })
  })

  test('a From with a name in another script is shown', async () => {
    const id = await submit(`From: =?UTF-8?Q?=C3=85sa?= <${sender}>\r\n\r\nx`)
    const [row] = await sql`select header_from from postel.messages where id = ${id}`
    expect(row).toEqual({ header_from: `Åsa <${sender}>` })
  })

  test.each([
    ['a long name in another script', `${'Åsa Ångström '.repeat(8)}<SENDER>`],
    ['a short one', 'Åsa <SENDER>'],
  ])('no line of From is longer than 76 characters: %s', async (_, from) => {
    const [row] = await sql<{ id: string }[]>`
      select postel.send(${from.replace('SENDER', sender)}, array['bob@dest.test'], 's', 't') as id`
    const { raw, mail } = await stored(row!.id)
    for (const line of raw.split('\r\n')) expect(line.length).toBeLessThan(77)
    expect(mail.from!.text).toContain('Åsa')
  })

  test.each([
    ['encoded words', '=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?UTF-8?B?IPCfmIA=?=', 'Grüße 😀'],
    ['a character split between two', '=?utf-8?q?=C3?=\r\n =?utf-8?q?=A9_x?= y', 'é x y'],
    ['words among text', 'a =?utf-8*en?q?b=5F?= c =? d', 'a b_ c =? d'],
    ['raw UTF-8', 'Grüße 😀', 'Grüße 😀'],
    ['raw Latin-1', Buffer.from('caf\xe9', 'latin1'), 'café'],
    ['another charset', '=?iso-8859-1?q?=E9?=', '=?iso-8859-1?q?=E9?='],
    ['broken base64', '=?utf-8?b?*?= x', '=?utf-8?b?*?= x'],
    ['octets that are not UTF-8', '=?utf-8?q?=ff?=', '=?utf-8?q?=ff?='],
    ['NUL', '=?utf-8?q?a=00b?=', '=?utf-8?q?a=00b?='],
    ['a line break', '=?utf-8?q?a=0D=0Ab?=', 'a b'],
    ['an empty word', '=?utf-8?q??=x', 'x'],
    ['nothing', '', ''],
    ['more than fits', 'x '.repeat(450), `${'x '.repeat(450).trim()}`],
  ])('the subject is kept as people read it: %s', async (_, subject, expected) => {
    const id = await submit(
      Buffer.concat([
        Buffer.from(`From: ${sender}\r\nSubject: `),
        Buffer.from(subject as string),
        Buffer.from('\r\n\r\nx'),
      ]),
    )
    const [row] = await sql`select subject from postel.messages where id = ${id}`
    expect(row).toEqual({ subject: expected })
  })

  test.each([
    ['ASCII', 'x\r\n\r\nx', null],
    ['8-bit content', 'x\r\n\r\nü', { eight_bit: true }],
    ['8-bit headers', 'ü\r\n\r\nx', { smtp_utf8: true }],
  ])('what a remote must support is known: %s', async (_, rest, details) => {
    const id = await submit(`From: ${sender}\r\nSubject: ${rest}`)
    const [row] = await sql`select details from postel.messages where id = ${id}`
    expect(row).toEqual({ details })
  })

  test('options are those of send_with, but for html', async () => {
    const submitWith = (options: object) => sql<{ id: string }[]>`
      select postel.submit_raw_with(
        ${sender}, array['bob@dest.test'], ${Buffer.from(message())}, ${JSON.stringify(options)}::text::jsonb
      ) as id`
    const [row] = await submitWith({ priority: 'high', expires_in: '10m', pool: tenant.poolName })
    const [queued] = await sql`select priority from postel.queue where message_id = ${row!.id}`
    expect(queued).toEqual({ priority: 10 })
    await expect(submitWith({ html: 'x' })).rejects.toThrow("unknown option 'html'")
  })

  test.each<[string, string | Buffer, RegExp]>([
    ['NUL', 'From: SENDER\r\n\r\na\0b', /must not contain NUL/],
    ['no From', 'Subject: x\r\n\r\nbody', /exactly one From header/],
    ['two From headers', 'From: SENDER\r\nfrom: eve@evil.test\r\n\r\nbody', /exactly one From header/],
    ['two mailboxes in From', 'From: eve@evil.test, SENDER\r\n\r\nbody', /one mailbox|usable e-mail address/],
    [
      'two named mailboxes in From',
      'From: Eve <eve@evil.test>, Ann <SENDER>\r\n\r\nbody',
      /exactly one mailbox/,
    ],
    [
      'a bare and a named mailbox in From',
      'From: eve@evil.test, Ann <SENDER>\r\n\r\nbody',
      /exactly one mailbox/,
    ],
    [
      'a group in From',
      'From: Team: eve@evil.test, Ann <SENDER>;\r\n\r\nbody',
      /one mailbox|usable e-mail address/,
    ],
    ['a From of somebody else', 'From: eve@evil.test\r\n\r\nbody', /may send from evil\.test/],
    ['a line of 999 octets', `From: SENDER\r\n\r\n${'x'.repeat(999)}`, /longer than 998/],
    ['a header line of 999 octets', `From: SENDER\r\nX: ${'x'.repeat(996)}\r\n\r\nbody`, /longer than 998/],
    ['no header at all', 'just text', /does not begin with a header/],
    ['an empty message', '', /does not begin with a header/],
    ['a header after an empty line', '\r\nFrom: SENDER\r\n\r\nbody', /does not begin with a header/],
    ['control characters in a header', 'From: SENDER\r\nSubject: a\x07b\r\n\r\nbody', /control characters/],
  ])('%s is refused', async (_, raw, problem) => {
    await expect(submit(raw.toString().replaceAll('SENDER', sender))).rejects.toThrow(problem)
  })

  test('a line of 998 octets is taken', async () => {
    await submit(`From: ${sender}\r\n\r\n${'x'.repeat(998)}\r\n`)
  })

  test('an envelope sender of another project’s domain is refused', async () => {
    const other = await makeTenant(sql)
    await expect(submit(message(), ['bob@dest.test'], `ann@${other.domain}`)).rejects.toThrow('may send from')
  })

  test('more than a thousand recipients are refused', async () => {
    const many = Array.from({ length: 1001 }, (_, index) => `r${index}@dest.test`)
    await expect(submit(message(), many)).rejects.toThrow('at most 1000 recipients, not 1001')
    expect((await stateOf(sql, await submit(message(), many.slice(1)))).deliveries).toHaveLength(1000)
  })
})

describe('explain', () => {
  async function sent(to: string[] = ['bob@dest.test']): Promise<string> {
    const [row] = await sql<{ id: string }[]>`select postel.send(${sender}, ${to}, 's', 't') as id`
    return row!.id
  }
  const explain = (id: string) => sql`select * from postel.explain(${id})`
  const hold = (process: string, seconds: number) => sql`
    with p as (insert into postel.outbound_processes (id, node_name, heartbeat_at) values (${process}, 'n', now()))
    insert into postel.ip_holders (ip_id, process_id, epoch, acquired_at, expires_at)
    values (${tenant.ips[0]!.id}, ${process}, 1, now(), now() + make_interval(secs => ${seconds}))`

  async function wait(id: string, state: string, seconds: number, reason: string): Promise<void> {
    await sql`
      with gone as (delete from postel.queue where message_id = ${id} returning *)
      insert into postel.waiting (
        state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id,
        organization_id, project_id, domain, numbers, recipients
      )
      select ${state}, now() + make_interval(secs => ${seconds}), ${reason}, ip_id, priority, 1, lost_holders, size_bytes,
        expires_at, message_id, organization_id, project_id, domain, numbers, recipients
      from gone`
    await sql`
      update postel.deliveries set state = ${state}, attempts = 1, last_reply = '451 later' where message_id = ${id}`
  }

  test('queued, and nobody holds its IP', async () => {
    expect([...(await explain(await sent()))]).toEqual([
      {
        recipient: 'bob@dest.test',
        state: 'queued',
        attempts: 0,
        last_reply: null,
        next_try: null,
        source_ip: `${tenant.ips[0]!.address}`,
        ip_reason: `drawn by weight from 1 IPs of pool ${tenant.poolName}, none of them held by a node now`,
        blocked_by: `no outbound process holds ${tenant.ips[0]!.address}`,
      },
    ])
  })

  test('queued, in line behind others of its domain', async () => {
    await hold(randomUUID(), 60)
    await sent()
    await sent(['bob@other.test'])
    const id = await sent()
    expect((await explain(id))[0]!.blocked_by).toBe('in line behind 1 others for dest.test')
  })

  test('queued, and its holder has died', async () => {
    await hold(randomUUID(), -1)
    expect((await explain(await sent()))[0]!.blocked_by).toBe(
      `the process that holds ${tenant.ips[0]!.address} has stopped renewing`,
    )
  })

  test('being sent', async () => {
    const process = randomUUID()
    await hold(process, 60)
    const id = await sent()
    const { id: row } = await queueRow(sql, id)
    await sql`update postel.outbound_processes set in_flight = array[${row}]::bigint[] where id = ${process}`
    expect((await explain(id))[0]).toMatchObject({ state: 'sending', blocked_by: null })
  })

  test.each([
    ['paused', /^source IP is paused: by Ann; no other IP of pool pool-\w+ is active and held by a node$/],
    ['quarantined', /^source IP is quarantined: by Ann; no other IP/],
    ['draining', /^no outbound process holds/],
  ])('queued on an IP that is %s', async (state, expected) => {
    const id = await sent()
    await sql`
      update postel.ip_addresses set state = ${state}, state_reason = 'by Ann' where id = ${tenant.ips[0]!.id}`
    const blocked = (await explain(id))[0]!.blocked_by
    expect(blocked).toMatch(expected)
  })

  test('deferred', async () => {
    const id = await sent()
    await wait(id, 'deferred', 3_595, '451 later')
    const [row] = await explain(id)
    expect(row).toMatchObject({ state: 'deferred', attempts: 1, last_reply: '451 later' })
    expect(row!.next_try.getTime() - Date.now()).toBeGreaterThan(3_500_000)
    expect(row!.blocked_by).toMatch(/^waits for its next try, in 00:59:\d\d$/)
  })

  test('deferred and due', async () => {
    const id = await sent()
    await wait(id, 'deferred', -5, '451 later')
    expect((await explain(id))[0]!.blocked_by).toBe('due, released within a minute by the worker')
  })

  test('held', async () => {
    const id = await sent()
    await wait(id, 'held', 0, 'suspected phishing')
    expect((await explain(id))[0]).toMatchObject({
      state: 'held',
      next_try: null,
      blocked_by: 'held: suspected phishing',
    })
  })

  test('scheduled', async () => {
    const at = new Date(Date.now() + 86_400_000)
    const [{ id }] = (await sql`
      select postel.send(${sender}, array['bob@dest.test'], 's', 't', send_at => ${at}) as id`) as unknown as [
      { id: string },
    ]
    const [row] = await explain(id)
    expect(row).toMatchObject({ state: 'scheduled', next_try: at })
    expect(row!.blocked_by).toMatch(/^scheduled for 20\d\d-/)
  })

  test('suppressed beside queued', async () => {
    await sql`
      insert into postel.suppressions (organization_id, address, reason)
      values (${tenant.organizationId}, 'carol@dest.test', 'bounced')`
    const rows = await explain(await sent(['bob@dest.test', 'carol@dest.test']))
    expect(rows.map(({ recipient, state, blocked_by }) => [recipient, state, blocked_by === null])).toEqual([
      ['bob@dest.test', 'queued', false],
      ['carol@dest.test', 'suppressed', true],
    ])
  })

  test('an unknown message has no rows', async () => {
    expect([...(await explain(randomUUID()))]).toEqual([])
  })
})

describe('views', () => {
  test('queue_now counts rows and recipients by state', async () => {
    const own = await createTestDatabase()
    const other = connect(own.url, { name: 'test', max: 1 })
    try {
      tenant = await makeTenant(other)
      const from = `ann@${tenant.domain}`
      await other`select postel.send(${from}, array['a@one.test', 'b@one.test', 'c@two.test'], 's', 't')`
      await other`
        select postel.send(${from}, array['a@one.test', 'b@one.test'], 's', 't', send_at => now() + interval '1 h')`
      const rows =
        await other`select state, rows::int, recipients::int, next_due > now() as later from postel.queue_now`
      expect([...rows]).toEqual([
        { state: 'queued', rows: 2, recipients: 3, later: null },
        { state: 'scheduled', rows: 1, recipients: 2, later: true },
      ])
      const ips = await other`
        select address, pool, state, held_by, queued::int, in_flight::int from postel.queue_by_ip`
      expect([...ips]).toEqual([
        {
          address: tenant.ips[0]!.address,
          pool: tenant.poolName,
          state: 'active',
          held_by: null,
          queued: 2,
          in_flight: 0,
        },
      ])
    } finally {
      await other.end({ timeout: 1 })
      await own.drop()
    }
  })

  test('recent_failures shows what did not work, the newest first', async () => {
    const [{ id }] = (await sql`
      select postel.send(${sender}, array['a@one.test', 'b@one.test'], 's', 't') as id`) as unknown as [
      { id: string },
    ]
    for (const [number, outcome, age] of [
      [1, 'delivered', 1],
      [1, 'deferred', 3],
      [2, 'bounced', 2],
    ] as const)
      await sql`
        insert into postel.attempts (message_id, number, attempt, at, duration_ms, outcome, in_doubt, reply)
        values (${id}, ${number}, ${age}, now() - make_interval(secs => ${age}), 1, ${outcome}, false, 'text')`
    const rows = await sql`select outcome, recipient from postel.recent_failures where message_id = ${id}`
    expect([...rows]).toEqual([
      { outcome: 'bounced', recipient: 'b@one.test' },
      { outcome: 'deferred', recipient: 'a@one.test' },
    ])
  })

  test('everything that an operator can call says what it is', async () => {
    const rows = await sql`
      select p.oid::regprocedure::text as name from pg_proc p
      where p.pronamespace = 'postel'::regnamespace and obj_description(p.oid, 'pg_proc') is null
        and p.proname <> 'uuid_v7'
      union all
      select c.oid::regclass::text from pg_class c
      where c.relnamespace = 'postel'::regnamespace and c.relkind = 'v' and obj_description(c.oid, 'pg_class') is null`
    expect([...rows]).toEqual([])
  })

  test('a person who may only read sees the views and nothing else', async () => {
    const role = unique('reader').replace('-', '_')
    await sql.unsafe(`create role ${role} in role postel_readonly`)
    try {
      await sql.begin(async (tx) => {
        await tx.unsafe(`set local role ${role}`)
        await tx`select * from postel.queue_now`
        await tx`select * from postel.queue_by_ip`
        await tx`select * from postel.recent_failures`
        await expect(tx.savepoint((point) => point`select * from postel.message_bodies`)).rejects.toThrow(
          'permission denied',
        )
        await expect(tx.savepoint((point) => point`select postel.retry(${randomUUID()})`)).rejects.toThrow(
          'permission denied',
        )
      })
    } finally {
      await sql.unsafe(`drop role ${role}`)
    }
  })
})
