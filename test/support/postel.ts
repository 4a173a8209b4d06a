/** Postel's services, really running in this process, on a database of their own. */
import { randomBytes } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { bootstrap, type DkimAlgorithm } from '@postel/db/bootstrap'
import { connect, type Sql } from '@postel/db/client'
import { hashSecret } from '@postel/db/queries/credentials'
import { createTestDatabase } from '@postel/db/testing/create-test-database'
import { readConfig as readInboundConfig } from '@postel/inbound/config'
import { InboundService } from '@postel/inbound/service'
import type { OutboundService } from '@postel/outbound/service'
import { createLogger } from '@postel/runtime/logger'
import { createSecretBox } from '@postel/runtime/secret-box'
import type { WorkerService } from '@postel/worker/service'
import { RawSmtp } from './raw-smtp.ts'
import { waitFor } from './wait-for.ts'

/** Environment variables over the tests' own. */
export type Env = Record<string, string>

export type PostelOptions = {
  /** Which services run, each with its variables. Default: only inbound. */
  inbound?: Env | false
  outbound?: Env
  worker?: Env
  /** Verified domains of the first project. Default: example.test. */
  domains?: readonly string[]
  /** Clients that need no AUTH. Default: this machine, so that plain text can be tested. */
  relayCidrs?: readonly string[]
  /** Key pairs for each domain. Default: none. */
  dkim?: readonly DkimAlgorithm[]
  /** Source IPs of the default pool. Default: 127.0.0.1. */
  addresses?: readonly string[]
  /** Waits of the first project between tries. Default: ten minutes, so that nothing is tried again by itself. */
  retryScheduleSeconds?: readonly number[]
}

/** How a test speaks to the submission server. */
export type Channel = 'plain' | 'STARTTLS' | 'implicit TLS'

/** For test.each: every session test runs in plain text and after STARTTLS. */
export const channels: readonly Channel[] = ['plain', 'STARTTLS']

export type Delivery = { recipient: string; state: string; attempts: number; reply: string | null }
export type Attempt = {
  number: number
  attempt: number
  outcome: string
  inDoubt: boolean
  category: string | null
  code: number | null
  enhanced: string | null
  reply: string | null
  mx: string | null
  tls: string | null
  ip: string | null
}
export type Stored = { from: string; recipients: string[]; raw: string }

export class Postel {
  readonly sql: Sql
  readonly databaseUrl: string
  /** An API key of the first project. */
  readonly key: string
  /** POSTEL_SECRET, for processes of a test's own. */
  readonly secret: string
  readonly #env: Env
  readonly #drop: () => Promise<void>
  readonly #services: { stop(): Promise<void> }[] = []
  readonly #clients: RawSmtp[] = []
  #inbound: InboundService | undefined

  private constructor(sql: Sql, databaseUrl: string, key: string, env: Env, drop: () => Promise<void>) {
    this.sql = sql
    this.databaseUrl = databaseUrl
    this.key = key
    this.#env = env
    this.secret = env.POSTEL_SECRET!
    this.#drop = drop
  }

  static async start(options: PostelOptions = {}): Promise<Postel> {
    const database = await createTestDatabase()
    const env: Env = {
      DATABASE_URL: database.url,
      POSTEL_UNSAFE_DATABASE: 'true',
      POSTEL_SECRET: randomBytes(32).toString('base64'),
      POSTEL_HOSTNAME: 'mail.postel.test',
      METRICS_PORT: '0',
      LOG_LEVEL: 'silent',
      SMTP_HOST: '127.0.0.1',
      SMTP_SUBMISSION_PORT: '0',
      SMTP_SUBMISSIONS_PORT: '0',
      SMTP_MX_PORT: '0',
      DELIVERY_ALLOW_PRIVATE: 'true',
      OUTBOUND_ADDRESSES: '127.0.0.1',
      OUTBOUND_POLL_SECONDS: '1',
    }
    const sql = connect(database.url, { name: 'test', max: 2 })
    const key = `pk_test_${randomBytes(12).toString('hex')}`
    const addresses = options.addresses ?? ['127.0.0.1']
    await bootstrap(sql, {
      apiKey: key,
      relayCidrs: options.relayCidrs ?? ['127.0.0.0/8'],
      domains: options.domains ?? ['example.test'],
      domainsVerified: true,
      dkim: options.dkim ?? [],
      secretBox: createSecretBox(env.POSTEL_SECRET!),
      addresses: addresses.map((address) => ({ address, ehloName: null })),
    })
    await sql`update postel.projects set retry_schedule_seconds = ${[...(options.retryScheduleSeconds ?? [600])]}`
    const postel = new Postel(sql, database.url, key, env, () => database.drop())
    try {
      if (options.inbound !== false) await postel.startInbound(options.inbound)
      if (options.outbound) await postel.startOutbound(options.outbound)
      if (options.worker) await postel.startWorker(options.worker)
    } catch (error) {
      await postel.stop()
      throw error
    }
    return postel
  }

  async startInbound(env: Env = {}): Promise<InboundService> {
    const config = readInboundConfig({ ...this.#env, ...env })
    const service = new InboundService(config, createLogger('inbound', config.LOG_LEVEL))
    this.#inbound = service
    return this.#run(service)
  }

  async startOutbound(env: Env = {}): Promise<OutboundService> {
    // Loaded only where it is wanted: most files need no more than inbound
    const [{ readConfig }, { OutboundService }] = await Promise.all([
      import('@postel/outbound/config'),
      import('@postel/outbound/service'),
    ])
    const config = readConfig({ ...this.#env, ...env })
    return this.#run(new OutboundService(config, createLogger('outbound', config.LOG_LEVEL)))
  }

  async startWorker(env: Env = {}): Promise<WorkerService> {
    const [{ readConfig }, { WorkerService }] = await Promise.all([
      import('@postel/worker/config'),
      import('@postel/worker/service'),
    ])
    const config = readConfig({ ...this.#env, ...env })
    return this.#run(new WorkerService(config, createLogger('worker', config.LOG_LEVEL)))
  }

  get ports(): InboundService['ports'] {
    return this.#inbound!.ports
  }

  /** A connection whose greeting has not been read. */
  async connect(channel: 'plain' | 'implicit TLS' = 'plain'): Promise<RawSmtp> {
    const tls = channel === 'implicit TLS'
    const client = await RawSmtp.connect(tls ? this.ports.submissions : this.ports.submission, { tls })
    this.#clients.push(client)
    return client
  }

  /** A session that has greeted, and said EHLO. */
  async session(channel: Channel = 'plain'): Promise<RawSmtp> {
    const client = await this.connect(channel === 'implicit TLS' ? channel : 'plain')
    await client.expect(220, 'connecting')
    await client.ehlo()
    if (channel !== 'STARTTLS') return client
    await client.starttls()
    await client.ehlo()
    return client
  }

  /** Submits a message by SMTP without AUTH; gives its id. `data` is sent as it is, its dots stuffed. */
  async submit(mail: { from?: string; to: string | readonly string[]; data: string }): Promise<string> {
    const client = await this.session()
    const recipients = [mail.to].flat()
    await client.say(`MAIL FROM:<${mail.from ?? 'sender@example.test'}>`, 250)
    for (const recipient of recipients) await client.say(`RCPT TO:<${recipient}>`, 250)
    await client.say('DATA', 354)
    client.write(`${mail.data.replace(/^\./gm, '..')}${mail.data.endsWith('\r\n') ? '' : '\r\n'}.\r\n`)
    const reply = await client.expect(250, 'the message')
    client.destroy()
    return /queued as (\S+)/.exec(reply)![1]!
  }

  /** Every stored message, oldest first; `raw` is latin1. */
  async stored(): Promise<Stored[]> {
    const rows = await this.sql<{ from: string; recipients: string[]; encoding: number; body: Buffer }[]>`
      select
        m.envelope_from as from, b.encoding, b.body,
        array(select d.recipient from postel.deliveries d where d.message_id = m.id order by d.number) as recipients
      from postel.messages m
      join postel.message_bodies b on b.message_id = m.id
      order by m.created_at, m.id`
    return rows.map(({ from, recipients, encoding, body }) => ({
      from,
      recipients,
      raw: (encoding === 1 ? zstdDecompressSync(body) : body).toString('latin1'),
    }))
  }

  /** What is known of each recipient of a message. */
  async deliveries(id: string): Promise<Delivery[]> {
    return this.sql<Delivery[]>`
      select d.recipient, d.state, d.attempts::int, d.last_reply as reply
      from postel.deliveries d where d.message_id = ${id} order by d.number`
  }

  /** `['a@dest.test delivered', …]`, for a small literal. */
  async states(id: string): Promise<string[]> {
    return (await this.deliveries(id)).map(({ recipient, state }) => `${recipient} ${state}`)
  }

  /** The same once nothing is queued any more: every recipient was tried, or waits. */
  async settled(id: string, seconds = 10): Promise<Delivery[]> {
    return waitFor(async () => {
      const deliveries = await this.deliveries(id)
      return deliveries.every(({ state }) => state !== 'queued') && deliveries
    }, seconds)
  }

  /** The states once nothing is queued any more. */
  async finalStates(id: string, seconds = 10): Promise<string[]> {
    return (await this.settled(id, seconds)).map(({ recipient, state }) => `${recipient} ${state}`)
  }

  /** Every try of a message, in order. */
  async attempts(id: string): Promise<Attempt[]> {
    return this.sql<Attempt[]>`
      select
        a.number::int, a.attempt::int, a.outcome, a.in_doubt as "inDoubt", a.category, a.code::int,
        a.enhanced_code as enhanced, a.reply, a.mx_host as mx, a.tls, host(i.address) as ip
      from postel.attempts a
      left join postel.ip_addresses i on i.id = a.ip_id
      where a.message_id = ${id} order by a.attempt, a.number`
  }

  /** Seconds until each waiting row of a message is due. */
  async waits(id: string): Promise<number[]> {
    const rows = await this.sql<{ seconds: number }[]>`
      select extract(epoch from w.not_before - now())::float8 as seconds
      from postel.waiting w where w.message_id = ${id} order by w.id`
    return rows.map(({ seconds }) => seconds)
  }

  /** Tries deferred recipients now. */
  async retry(id: string): Promise<void> {
    await this.sql`select postel.retry(${id}::uuid)`
  }

  /** Resolves when all holds were renewed since, so that who has them knows what was decided of its IPs before. */
  async holdsRenewed(): Promise<void> {
    const [row] = await this.sql<{ at: string }[]>`select (clock_timestamp() + interval '30 s')::text as at`
    await waitFor(async () => {
      const [holds] = await this.sql<{ renewed: boolean | null }[]>`
        select bool_and(h.expires_at > ${row!.at}::text::timestamptz) as renewed from postel.ip_holders h`
      return holds!.renewed
    })
  }

  /** Another organization, which owns these domains; gives an API key of it. */
  async addOrganization(...domains: string[]): Promise<string> {
    const key = `pk_test_${randomBytes(12).toString('hex')}`
    await this.sql`
      with o as (insert into postel.organizations (name) values ('other') returning id),
      p as (
        insert into postel.projects (organization_id, name, pool_id)
        select o.id, 'other', l.id from o cross join postel.ip_pools l where l.is_default
        returning id, organization_id
      ),
      d as (
        insert into postel.domains (organization_id, name, status)
        select p.organization_id, n, 'verified' from p cross join unnest(${domains}::text[]) as n
      )
      insert into postel.api_keys (organization_id, project_id, name, prefix, hash)
      select p.organization_id, p.id, 'other', ${key.slice(0, 12)}, ${hashSecret(key)} from p`
    return key
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.destroy()
    for (const service of this.#services.reverse()) await service.stop()
    await this.sql.end({ timeout: 1 })
    await this.#drop()
  }

  async #run<T extends { start(): Promise<void>; stop(): Promise<void> }>(service: T): Promise<T> {
    this.#services.push(service)
    await service.start()
    return service
  }
}

/** Starts Postel; see PostelOptions. */
export const startPostel = Postel.start

/** A minimal message with these header lines before the body. */
export function message(body = 'Hello\r\n', ...headers: string[]): string {
  const fields = ['From: sender@example.test', 'Subject: test', ...headers]
  return `${fields.join('\r\n')}\r\n\r\n${body}`
}
