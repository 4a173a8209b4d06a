// Who may send from a domain is what DNS says: proved, lost, taken over, its keys rotated. Against each name server.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readConfig } from '@postel/api/config'
import { ApiService } from '@postel/api/service'
import { bootstrap } from '@postel/db/bootstrap'
import { readReturnToken } from '@postel/mail/return-path'
import { createLogger } from '@postel/runtime/logger'
import { createSecretBox } from '@postel/runtime/secret-box'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'
import { type NameServer, nameServers, type Records } from '../support/name-server.ts'
import { type System, startSystem } from '../support/system.ts'
import { waitFor } from '../support/wait-for.ts'

type Shown = {
  record: string
  name: string
  fqdn: string
  type: 'TXT' | 'MX' | 'CNAME'
  value: string
  status: string
  status_reason: string | null
  required: boolean
  priority?: number
}
// biome-ignore lint/suspicious/noExplicitAny: a test looks into what it has just asked for
type Reply = { status: number; body: any }

const host = 'mail.postel.test'

describe.each(nameServers)('with %s', (_name, startNameServer) => {
  let dns: NameServer
  let system: System
  let api: ApiService
  /** API keys of two organizations. */
  let a: string
  let b: string
  let names = 0
  /** All that DNS has. */
  let records: Records = {}

  beforeAll(async () => {
    dns = await startNameServer()
    system = await startSystem({ domains: [], worker: { DNS_SERVERS: dns.address, DNS_TIMEOUT_MS: '2000' } })
    const { postel } = system
    a = postel.key
    b = await postel.addOrganization()
    api = new ApiService(
      readConfig({
        DATABASE_URL: postel.databaseUrl,
        POSTEL_SECRET: postel.secret,
        POSTEL_HOSTNAME: host,
        POSTEL_UNSAFE_DATABASE: 'true',
        API_PORT: '0',
        METRICS_PORT: '0',
        LOG_LEVEL: 'silent',
        DNS_SERVERS: dns.address,
        DNS_TIMEOUT_MS: '2000',
      }),
      createLogger('api', 'silent'),
    )
    await api.start()
  })
  afterAll(async () => {
    await api?.stop()
    await system?.stop()
    await dns?.stop()
  })

  async function call(key: string, method: string, path: string, body?: unknown): Promise<Reply> {
    const response = await fetch(`http://127.0.0.1:${api.ports.api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: await response.json() }
  }

  const fresh = () => `d${++names}.test`

  async function create(
    key: string,
    name: string,
    more: object = {},
  ): Promise<{ id: string; records: Shown[] }> {
    const { status, body } = await call(key, 'POST', '/domains', { name, ...more })
    expect(status).toBe(201)
    return body
  }

  /** What somebody who does as told publishes; `leave` says what not. */
  function published(shown: readonly Shown[], leave: (record: Shown) => boolean = () => false): Records {
    const zone: Record<string, { TXT: string[]; MX: [number, string][]; CNAME?: string }> = {}
    for (const record of shown) {
      if (leave(record)) continue
      zone[record.fqdn] ??= { TXT: [], MX: [] }
      const at = zone[record.fqdn]!
      if (record.type === 'TXT') at.TXT.push(record.value)
      else if (record.type === 'MX') at.MX.push([record.priority!, record.value])
      else at.CNAME = record.value
    }
    return zone
  }

  async function publish(...zones: Records[]): Promise<void> {
    const all: Record<
      string,
      { TXT: string[]; MX: (readonly [number, string])[]; A: string[]; CNAME?: string }
    > = {}
    for (const zone of zones)
      for (const [name, { TXT = [], MX = [], A = [], CNAME }] of Object.entries(zone)) {
        all[name] ??= { TXT: [], MX: [], A: [] }
        const at = all[name]
        at.TXT.push(...TXT)
        for (const one of MX) if (!at.MX.some((other) => other[1] === one[1])) at.MX.push(one)
        at.A.push(...A)
        if (CNAME !== undefined) at.CNAME = CNAME
      }
    records = all
    await dns.set(records)
  }

  async function verify(key: string, id: string): Promise<Reply['body']> {
    expect((await call(key, 'POST', `/domains/${id}/verify`)).status).toBe(200)
    return (await call(key, 'GET', `/domains/${id}`)).body
  }

  async function verified(key: string, name = fresh(), more: object = {}) {
    const domain = await create(key, name, more)
    await publish(published(domain.records))
    expect((await verify(key, domain.id)).status).toBe('verified')
    return { ...domain, name }
  }

  /** The API keys of a project know what it may send for 5 s; a new key knows the present. */
  async function freshKey(id: string): Promise<string> {
    const key = `pk_test_${'0'.repeat(12)}${Math.random().toString(36).slice(2, 14).padEnd(12, 'x')}`
    const { createHash } = await import('node:crypto')
    await system.postel.sql`
      insert into postel.api_keys (organization_id, project_id, name, prefix, hash)
      select d.organization_id, p.id, 'fresh', 'pk_test_', ${createHash('sha256').update(key).digest()}
      from postel.domains d join postel.projects p on p.organization_id = d.organization_id
      where d.id = ${id} order by p.created_at limit 1`
    return key
  }

  async function send(
    domain: { id: string; name: string },
    to = 'reader@dest.test',
    more: object = {},
  ): Promise<Reply> {
    return call(await freshKey(domain.id), 'POST', '/emails', {
      from: `Ann <ann@${domain.name}>`,
      to,
      subject: 'Hello',
      text: 'Hi',
      ...more,
    })
  }

  /** The worker looks at the domain now. */
  async function recheck(id: string): Promise<void> {
    const { sql } = system.postel
    // A look that is under way began before what the test has just changed, and would be taken for the one that is asked for
    await waitFor(async () => {
      const looks = await sql`
        select from graphile_worker.jobs where task_identifier = 'domains' and locked_at is not null`
      return looks.length === 0
    }, 20)
    const [before] = await sql`select checked_at::text as at from postel.domains where id = ${id}`
    await sql`update postel.domains set next_check_at = now() where id = ${id}`
    await waitFor(async () => {
      // Added again where a run had just looked for the last time
      await sql`select graphile_worker.add_job('domains', job_key := 'domains')`
      const [now] = await sql`select checked_at::text as at from postel.domains where id = ${id}`
      return now!.at !== before!.at
    }, 20)
  }

  const notices = async (id: string) =>
    (
      await system.postel.sql<{ subject: string }[]>`
        select e.data ->> 'subject' as subject from postel.events e
        join postel.domains d on d.organization_id = e.organization_id
        where d.id = ${id} and e.type = 'notice' and e.data ->> 'subject' like d.name || ' %'
        order by e.id`
    ).map(({ subject }) => subject)

  const told = async (id: string) =>
    (
      await system.postel.sql<{ status: string }[]>`
        select data ->> 'status' as status from postel.events where data ->> 'id' = ${id} order by id`
    ).map(({ status }) => status)

  test('a domain whose records are set as told is verified; its mail is signed for it and returns to it', async () => {
    const name = fresh()
    const domain = await create(a, name, {
      capabilities: { receiving: 'enabled' },
      tracking_subdomain: 'links',
    })
    expect(domain.records.map(({ status }) => status)).toEqual(domain.records.map(() => 'not_started'))
    const empty = await verify(a, domain.id)
    expect(empty.status).toBe('pending')
    expect(empty.records.map(({ status }: Shown) => status)).toEqual(domain.records.map(() => 'pending'))
    expect(empty.records[0].status_reason).toBe(
      `There is no TXT record with "${domain.records[0]!.value}" at _postel.${name}.`,
    )

    await publish(published(domain.records))
    const shown = await verify(a, domain.id)
    expect(shown.status).toBe('verified')
    // Its logo waits for a stricter DMARC policy
    expect(shown.records.filter(({ status }: Shown) => status !== 'verified')).toMatchObject([
      { record: 'BIMI' },
    ])
    expect(await told(domain.id)).toEqual(['not_started', 'pending', 'verified'])

    const { body } = await send({ id: domain.id, name })
    await system.postel.settled(body.id)
    const { from, content } = system.mx.messages.at(-1)!
    const [token, returnHost] = from.split('@')
    expect(returnHost).toBe(`send.${name}`)
    expect(readReturnToken(token!, Buffer.from(system.postel.secret, 'base64'))).toEqual({
      messageId: body.id,
      number: 1,
    })
    const resolver = async (at: string, type: string) => {
      const texts = type === 'TXT' ? records[at]?.TXT : undefined
      if (!texts) throw Object.assign(new Error('none'), { code: 'ENOTFOUND' })
      return texts.map((text) => [text])
    }
    const { results } = await dkimVerify(Buffer.from(content, 'latin1'), { resolver })
    expect(
      results.map(({ signingDomain, algo, status }) => `${signingDomain} ${algo} ${status.result}`).sort(),
    ).toEqual([`${name} ed25519-sha256 pass`, `${name} rsa-sha256 pass`])
  })

  test('an ownership record is not needed beside our key, the key is, and Ed25519 alone does not do', async () => {
    const domain = await create(a, fresh())
    const isRsa = ({ value }: Shown) => value.includes('k=rsa')
    await publish(published(domain.records, isRsa))
    expect((await verify(a, domain.id)).status).toBe('pending')
    await publish(published(domain.records, ({ record }) => record !== 'DKIM'))
    expect((await verify(a, domain.id)).status).toBe('verified')
  })

  describe('what is wrong with a record is said', () => {
    let domain: { id: string; name: string; records: Shown[] }
    beforeAll(async () => {
      domain = await verified(a, fresh(), {
        capabilities: { receiving: 'enabled' },
        tracking_subdomain: 'links',
      })
    })
    const find = (record: string, type?: string) =>
      domain.records.find((each) => each.record === record && (type === undefined || each.type === type))!
    /** Publishes all, with other texts (or what not) at one record's name. */
    async function after(
      of: Shown,
      instead: Records[string] | undefined,
      more: Records = {},
    ): Promise<string> {
      const zone = { ...published(domain.records) }
      delete zone[of.fqdn]
      if (instead) zone[of.fqdn] = instead
      await publish(zone, more)
      const { records: shown } = await verify(a, domain.id)
      const { status, status_reason } = shown.find(
        (each: Shown) => each.fqdn === of.fqdn && each.type === of.type && each.record === of.record,
      )
      return `${status}: ${status_reason}`
    }
    const rsa = () => find('DKIM')
    const spf = () => find('SPF', 'TXT')
    const spfWith = (...TXT: string[]) => ({ TXT, MX: [[10, host]] as [number, string][] })

    test('two SPF records', async () => {
      expect(
        await after(spf(), spfWith('v=spf1 include:other.test ~all', 'v=spf1 ip4:127.0.0.1 ~all'), {
          'other.test': { TXT: ['v=spf1 -all'] },
        }),
      ).toBe(
        `failed: There are 2 SPF records at send.${domain.name}, and only one is allowed: remove "v=spf1 include:other.test ~all".`,
      )
    })
    test('two SPF records, one of which refers to what does not answer', async () => {
      const other = 'v=spf1 include:_spf.elsewhere.invalid ~all'
      expect(await after(spf(), spfWith(other, 'v=spf1 ip4:127.0.0.1 ~all'))).toMatch(
        /^failed: There are 2 SPF records .* remove "v=spf1 include:_spf\.elsewhere\.invalid ~all"\.$/,
      )
    })
    test('an SPF record without our address', async () => {
      expect(await after(spf(), spfWith('v=spf1 ip4:192.0.2.0/24 -all'))).toBe(
        `failed: "v=spf1 ip4:192.0.2.0/24 -all" at send.${domain.name} does not allow 127.0.0.1: add ip4:127.0.0.1.`,
      )
    })
    test('an SPF record that gets there by other ways', async () => {
      const there = {
        'spf.other.test': { TXT: ['v=spf1 a:ours.other.test ?all'] },
        'ours.other.test': { A: ['127.0.0.1'] },
      }
      expect(await after(spf(), spfWith('v=spf1 include:spf.other.test -all'), there)).toBe('verified: null')
    })
    test('an SPF record with too many look-ups', async () => {
      const many = Array.from({ length: 11 }, (_, index) => `a:a${index}.other.test`).join(' ')
      expect(await after(spf(), spfWith(`v=spf1 ${many} ip4:127.0.0.1 -all`))).toBe(
        `failed: The SPF record of send.${domain.name} cannot be used. It takes more than 10 look-ups, which is where receivers stop reading.`,
      )
    })
    test('an MX record of somebody else', async () => {
      expect(await after(find('SPF', 'MX'), { TXT: [spf().value], MX: [[5, 'mx.other.test']] })).toBe(
        `failed: Mail to send.${domain.name} goes to mx.other.test: the MX record must be ${host}.`,
      )
    })
    test('another key', async () => {
      const other = `v=DKIM1; k=rsa; p=MIIBI${'x'.repeat(60)}`
      expect(await after(rsa(), { TXT: [other] })).toMatch(
        /^failed: The key at r\S+ is another one: from character 6 on p= is "xxxxxxxxxxxx…" and must be "\S{12}…"\.$/,
      )
    })
    test('a key that is cut off', async () => {
      expect(await after(rsa(), { TXT: [rsa().value.slice(0, 255)] })).toMatch(
        /is cut off after 237 of 392 characters\.$/,
      )
    })
    test('two keys', async () => {
      expect(await after(rsa(), { TXT: [rsa().value, 'v=DKIM1; p=abc'] })).toMatch(
        /^failed: There are 2 DKIM keys at/,
      )
    })
    test('a key in other spacing', async () => {
      expect(await after(rsa(), { TXT: [rsa().value.replace('v=DKIM1; k=rsa; p=', 'k=rsa;p=  ')] })).toBe(
        'verified: null',
      )
    })
    test('a name that has the domain twice', async () => {
      const key = rsa()
      expect(await after(key, undefined, { [`${key.fqdn}.${domain.name}`]: { TXT: [key.value] } })).toBe(
        `failed: It stands at ${key.fqdn}.${domain.name}: type "${key.name}" into the name, as ${domain.name} is added to it.`,
      )
    })
    test("another organization's token", async () => {
      expect(
        await after(find('Ownership'), { TXT: ['postel-verification=00000000000000000000000000000000'] }),
      ).toMatch(/shows "postel-verification=0+", which is not yours or no longer: add "postel-verification=/)
    })
    test('a DMARC record without a policy', async () => {
      expect(await after(find('DMARC'), { TXT: ['v=DMARC1; rua=mailto:a@x.test'] })).toBe(
        'failed: The DMARC record has no policy: add p=none.',
      )
    })
    test('mail that goes elsewhere first', async () => {
      expect(
        await after(find('Receiving'), {
          MX: [
            [1, 'mx.other.test'],
            [10, host],
          ],
        }),
      ).toBe(
        `failed: Mail to ${domain.name} goes to mx.other.test first (priority 1): ${host} must have the lowest number.`,
      )
    })
    test('a tracking name with an address', async () => {
      expect(await after(find('Tracking'), { A: ['192.0.2.1'] })).toBe(
        `failed: links.${domain.name} has an address of its own: it must be a CNAME of ${host}.`,
      )
    })
    test('text that would act on a terminal', async () => {
      const reason = await after(find('Ownership'), { TXT: ['postel-verification=\x1b[31m\x07red'] })
      expect(reason).not.toMatch(/\p{Cc}/u)
      expect(reason).toContain('red')
    })
  })

  test('what a domain has lost of its return path is not used: mail leaves with the sender that was given', async () => {
    const domain = await verified(a)
    await publish(published(domain.records, ({ record }) => record === 'SPF'))
    await verify(a, domain.id)
    const { body } = await send(domain)
    await system.postel.settled(body.id)
    expect(system.mx.messages.at(-1)!.from).toBe(`ann@${domain.name}`)
  })

  test('a domain that was named at the start is verified by itself once its records are there', async () => {
    const { sql, secret } = system.postel
    const name = fresh()
    await bootstrap(sql, {
      domains: [name],
      domainsVerified: false,
      dkim: ['rsa-sha256', 'ed25519-sha256'],
      secretBox: createSecretBox(secret),
      relayCidrs: [],
      addresses: [],
    })
    const [domain] = await sql<{ id: string }[]>`select id from postel.domains where name = ${name}`
    const { body } = await call(a, 'GET', `/domains/${domain!.id}`)
    expect(body.status).toMatch(/^(not_started|pending)$/)
    await publish(published(body.records))
    await recheck(domain!.id)
    expect((await call(a, 'GET', `/domains/${domain!.id}`)).body.status).toBe('verified')
  })

  test('a domain that is only to receive sends nothing, and one whose mail goes elsewhere is partly verified', async () => {
    const domain = await verified(a, fresh(), { capabilities: { sending: 'disabled', receiving: 'enabled' } })
    expect((await send(domain)).status).toBe(403)
    await call(a, 'PATCH', `/domains/${domain.id}`, { capabilities: { sending: 'enabled' } })
    await publish(published(domain.records, ({ record }) => record === 'Receiving'))
    expect((await verify(a, domain.id)).status).toBe('partially_verified')
    expect((await send(domain)).status).toBe(200)
  })

  test('whoever DNS proves later has the domain: the other is told, its mail is held, and its old records prove nothing', async () => {
    const ours = await verified(a)
    const { name } = ours
    const theirs = await create(b, name)
    expect((await send({ id: theirs.id, name })).status).toBe(403)
    const waiting = await send(ours, 'later@dest.test', {
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    })

    await publish(published(ours.records), published(theirs.records))
    expect((await verify(b, theirs.id)).status).toBe('verified')
    expect((await call(a, 'GET', `/domains/${ours.id}`)).body.status).toBe('failed')
    expect(await notices(ours.id)).toEqual([`${name} is verified by another organization`])
    expect(await told(ours.id)).toEqual(['not_started', 'verified', 'failed'])
    expect((await send(ours)).status).toBe(403)
    expect(await system.postel.states(waiting.body.id)).toEqual(['later@dest.test held'])

    // Both still stand in DNS, and those of the first prove nothing any more
    expect((await verify(a, ours.id)).status).toBe('failed')
    expect((await call(b, 'GET', `/domains/${theirs.id}`)).body.status).toBe('verified')

    // Whoever rules over DNS sets the new one
    const back = (await call(a, 'GET', `/domains/${ours.id}`)).body
    await publish(published(back.records), published(theirs.records))
    expect((await verify(a, ours.id)).status).toBe('verified')
    expect((await call(b, 'GET', `/domains/${theirs.id}`)).body.status).toBe('failed')
    expect(await system.postel.states(waiting.body.id)).toEqual(['later@dest.test scheduled'])
  })

  test('of two who prove it at the same moment one has it', async () => {
    const name = fresh()
    const [one, two] = await Promise.all([create(a, name), create(b, name)])
    await publish(published(one.records), published(two.records))
    await Promise.all([
      call(a, 'POST', `/domains/${one.id}/verify`),
      call(b, 'POST', `/domains/${two.id}/verify`),
    ])
    const states = [
      (await call(a, 'GET', `/domains/${one.id}`)).body.status,
      (await call(b, 'GET', `/domains/${two.id}`)).body.status,
    ]
    expect(states.sort()).toEqual(['failed', 'verified'])
  })

  test('a domain that was deleted and added again is proved by its new records only', async () => {
    const domain = await verified(a)
    const held = await send(domain, 'later@dest.test', {
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    })
    await call(a, 'DELETE', `/domains/${domain.id}`)
    expect(await system.postel.states(held.body.id)).toEqual(['later@dest.test held'])
    const again = await create(a, domain.name)
    expect((await verify(a, again.id)).status).toBe('pending')
    await publish(published(again.records))
    expect((await verify(a, again.id)).status).toBe('verified')
    expect(await system.postel.states(held.body.id)).toEqual(['later@dest.test scheduled'])
  })

  test('a domain below one of another organization is proved by itself, and gives nothing of that one', async () => {
    const parent = await verified(a)
    const below = await create(b, `sub.${parent.name}`)
    expect((await verify(b, below.id)).status).toBe('pending')
    await publish(published(parent.records), published(below.records))
    expect((await verify(b, below.id)).status).toBe('verified')
    expect((await send({ id: below.id, name: parent.name })).status).toBe(403)
    expect((await send({ id: below.id, name: `sub.${parent.name}` })).status).toBe(200)
    expect((await call(a, 'GET', `/domains/${parent.id}`)).body.status).toBe('verified')
  })

  test('proof that goes from DNS is missed for a day before mail is held, and mail goes on when it is back', async () => {
    const { sql } = system.postel
    const domain = await verified(a)
    const status = async () => (await call(a, 'GET', `/domains/${domain.id}`)).body.status
    const aDayLater = () =>
      sql`update postel.domains set failing_since = failing_since - interval '25 hours' where id = ${domain.id}`

    // No answer says nothing, however often and long
    await dns.fail(true)
    for (let look = 0; look < 4; look++) await recheck(domain.id)
    await dns.fail(false)
    expect(await status()).toBe('verified')
    expect((await call(a, 'GET', `/domains/${domain.id}`)).body.failing_since).toBeNull()

    await publish({})
    await recheck(domain.id)
    expect(await status()).toBe('partially_failed')
    expect(await notices(domain.id)).toEqual([`${domain.name} is about to lose its verification`])
    expect((await send(domain)).status).toBe(200)
    for (let look = 0; look < 3; look++) await recheck(domain.id)
    expect(await status()).toBe('partially_failed')

    const waiting = await send(domain, 'later@dest.test', {
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    })
    await aDayLater()
    await recheck(domain.id)
    expect(await status()).toBe('failed')
    expect(await notices(domain.id)).toContain(`${domain.name} is not verified any more`)
    expect((await send(domain)).status).toBe(403)
    expect(await system.postel.states(waiting.body.id)).toEqual(['later@dest.test held'])
    const [held] = await sql`select reason from postel.waiting where message_id = ${waiting.body.id}`
    expect(held!.reason).toBe(`the domain ${domain.name} is not verified`)

    await publish(published(domain.records))
    await recheck(domain.id)
    expect(await status()).toBe('verified')
    expect(await system.postel.states(waiting.body.id)).toEqual(['later@dest.test scheduled'])
    expect(await told(domain.id)).toEqual([
      'not_started',
      'verified',
      'partially_failed',
      'failed',
      'verified',
    ])
  })

  test('mail that comes in while its domain is being lost is held by whoever was about to send it', async () => {
    const domain = await verified(a)
    const key = await freshKey(domain.id)
    const email = { from: `a@${domain.name}`, to: 'reader@dest.test', subject: 's', text: 't' }
    // The key is known from now on, with the domain
    await call(key, 'POST', '/emails/batch', [])
    await call(key, 'POST', '/emails', {
      ...email,
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    })
    await call(a, 'DELETE', `/domains/${domain.id}`)
    const sent = system.mx.messages.length
    const { status, body } = await call(key, 'POST', '/emails', email)
    expect(status).toBe(200)
    await waitFor(async () => (await system.postel.states(body.id))[0] === 'reader@dest.test held')
    expect(system.mx.messages.slice(sent).filter(({ content }) => content.includes(domain.name))).toEqual([])
  })

  test('new keys sign once DNS shows them, the old ones stay valid for a week and are gone then', async () => {
    const { sql } = system.postel
    const domain = await verified(a)
    const selectorsOf = (shown: readonly Shown[]) =>
      shown.filter(({ record }) => record === 'DKIM').map(({ name }) => name.split('.')[0]!)
    const signing = async () => {
      const rows = await sql<{ selector: string }[]>`
        select selector from postel.dkim_keys where domain_id = ${domain.id} and active`
      return rows.map(({ selector }) => selector).sort()
    }
    const old = selectorsOf(domain.records).sort()
    expect(await signing()).toEqual(old)

    const rotated = (await call(a, 'POST', `/domains/${domain.id}/dkim/rotate`)).body
    const all = selectorsOf(rotated.records)
    const fresh = all.filter((selector) => !old.includes(selector)).sort()
    expect([all.length, fresh.length]).toEqual([4, 2])
    await recheck(domain.id)
    expect(await signing()).toEqual(old)
    // Asked again soon, as somebody is about to set them
    const [next] = await sql`
      select next_check_at < now() + interval '6 minutes' as soon from postel.domains where id = ${domain.id}`
    expect(next!.soon).toBe(true)

    await publish(published(rotated.records))
    await recheck(domain.id)
    expect(await signing()).toEqual(fresh)
    const shown = (await call(a, 'GET', `/domains/${domain.id}`)).body
    expect(shown.status).toBe('verified')
    const former = shown.records.filter(({ name }: Shown) =>
      old.some((selector) => name.startsWith(`${selector}.`)),
    )
    expect(former.map(({ status, required }: Shown) => [status, required])).toEqual([
      ['verified', false],
      ['verified', false],
    ])

    await sql`update postel.dkim_keys set retires_at = now() where domain_id = ${domain.id} and not active`
    await recheck(domain.id)
    expect(selectorsOf((await call(a, 'GET', `/domains/${domain.id}`)).body.records).sort()).toEqual(fresh)
  })

  test('a key that was imported signs and proves nothing by itself', async () => {
    const { generateKeyPairSync } = await import('node:crypto')
    const pair = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const domain = await create(a, fresh())
    const { body } = await call(a, 'POST', `/domains/${domain.id}/dkim/import`, {
      selector: 'old',
      private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    })
    await publish(
      published(body.records, ({ record, value }) => record !== 'DKIM' || !value.includes('k=rsa')),
    )
    expect((await verify(a, domain.id)).status).toBe('pending')
    await publish(
      published(body.records, ({ record, value }) => record === 'DKIM' && !value.includes('k=rsa')),
    )
    expect((await verify(a, domain.id)).status).toBe('verified')
    const keys = await system.postel.sql`
      select selector from postel.dkim_keys where domain_id = ${domain.id} and active`
    expect(keys.map(({ selector }) => selector)).toEqual(['old'])
  })

  test("a key that somebody moved to another domain's row signs nothing, and mail waits instead of leaving unsigned", async () => {
    const { sql } = system.postel
    const one = await verified(a)
    const two = await verified(b)
    await sql`
      update postel.dkim_keys k set private_key = o.private_key
      from postel.dkim_keys o
      where k.domain_id = ${one.id} and o.domain_id = ${two.id} and k.algorithm = o.algorithm`
    const { body } = await send(one)
    const [delivery] = await system.postel.settled(body.id)
    expect(delivery).toMatchObject({ state: 'deferred', reply: expect.stringContaining('DKIM key') })
    // Mail of the tests before may still be on its way
    expect(system.mx.messages.filter(({ content }) => content.includes(`@${one.name}`))).toEqual([])
  })
})
