/** The api process: one HTTP listener, one group commit, health. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect, requireDurability, type Sql } from '@postel/db/client'
import { Intake } from '@postel/db/intake'
import { addProcessMetrics } from '@postel/db/process-metrics'
import { Credentials } from '@postel/db/queries/credentials'
import { writeSystemSettings } from '@postel/db/queries/people'
import { MailFeatureDirectory } from '@postel/db/queries/tracking'
import { Readiness } from '@postel/db/readiness'
import { requireSecret } from '@postel/db/sealed-secrets'
import { MailLinks } from '@postel/mail/tracking'
import { DnsRecords } from '@postel/runtime/dns-records'
import { type Health, listen, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Service } from '@postel/runtime/run-service'
import { createSecretBox, type SecretBox } from '@postel/runtime/secret-box'
import { domainHosts } from '@postel/runtime/settings'
import { startTracing, type Tracing } from '@postel/runtime/tracing'
import { createApp } from './app.ts'
import { type ApiConfig, githubOf, oidcOf } from './config.ts'
import { ApiEvents } from './events.ts'
import { RequestLog } from './logs/request-log.ts'
import { People } from './people/people.ts'
import { SystemMail } from './people/system-mail.ts'
import { isDatabaseAway } from './problem.ts'
import { RequestLimit } from './request-limit.ts'
import { ActivityLog } from './tracking/activity-log.ts'

const headersTimeoutMs = 10_000
const requestTimeoutMs = 60_000
/** Longer than load balancers keep a connection, so that they are the ones to close it. */
const keepAliveMs = 65_000
/** Above what a request may wait for the database; a client that stops reading its reply is cut off then. */
const drainMs = 40_000
/** With what the client adds for the answer, whoever submits knows within 30 s. */
const statementTimeoutMs = 20_000

export class ApiService implements Service {
  readonly #config: ApiConfig
  readonly #registry = createRegistry('api', { processMetrics: true })
  readonly #events: ApiEvents
  readonly #sql: Sql
  readonly #readiness: Readiness
  readonly #intake: Intake
  readonly #credentials: Credentials
  readonly #secretBox: SecretBox
  /** drizzle's alone. */
  readonly #authSql: Sql
  readonly #people: People
  readonly #activity: ActivityLog
  readonly #requestLog: RequestLog
  readonly #server: Server
  readonly #stopped = new AbortController()
  #health: Health | undefined
  #settingsTold = false
  #tracing: Tracing | undefined
  #stopping: Promise<void> | undefined

  constructor(config: ApiConfig, log: Logger) {
    this.#config = config
    this.#events = new ApiEvents(log, this.#registry)
    this.#sql = connect(config.DATABASE_URL, { name: 'postel-api', max: 8, statementTimeoutMs })
    this.#readiness = new Readiness({
      url: config.DATABASE_URL,
      name: 'postel-api',
      onWaiting: (reason) => this.#events.waiting(reason),
    })
    this.#intake = new Intake({
      url: config.DATABASE_URL,
      sql: this.#sql,
      app: 'api',
      tracing: () => this.#tracing,
      onHintLost: (error) => this.#events.hintLost(error),
      onLimitsFailed: (error) => this.#events.limitsFailed(error),
    })
    const { submitter } = this.#intake
    addProcessMetrics(this.#registry, { app: 'postel-api', publisher: this.#intake.publisher })
    this.#secretBox = createSecretBox(config.POSTEL_SECRET, config.POSTEL_SECRET_PREVIOUS)
    this.#credentials = new Credentials(this.#sql, (error) => this.#events.usesLost(error))
    const features = new MailFeatureDirectory(this.#sql)
    const links = new MailLinks({
      secrets: [config.POSTEL_SECRET, config.POSTEL_SECRET_PREVIOUS].filter((each) => each !== undefined),
      publicUrl: config.POSTEL_PUBLIC_URL,
      featuresOf: (project, domain) => features.of(project, domain),
    })
    this.#activity = new ActivityLog(this.#sql, this.#events)
    this.#requestLog = new RequestLog(this.#sql, this.#events)
    const limits = {
      links,
      maxMessageBytes: config.MAX_MESSAGE_BYTES,
      maxRecipients: config.SMTP_MAX_RECIPIENTS,
      hostname: config.POSTEL_HOSTNAME,
    }
    this.#authSql = connect(config.DATABASE_URL, { name: 'postel-api-people', max: 3, statementTimeoutMs })
    this.#people = new People({
      sql: this.#sql,
      authSql: this.#authSql,
      events: this.#events,
      systemMail: new SystemMail({
        sql: this.#sql,
        credentials: this.#credentials,
        submitter,
        limits,
        from: config.SYSTEM_MAIL_FROM,
        project: config.SYSTEM_MAIL_PROJECT,
      }),
      secrets: [config.POSTEL_SECRET, config.POSTEL_SECRET_PREVIOUS].filter((each) => each !== undefined),
      publicUrl: config.POSTEL_PUBLIC_URL,
      signUp: config.AUTH_SIGNUP,
      github: githubOf(config),
      oidc: oidcOf(config),
    })
    const app = createApp({
      sql: this.#sql,
      credentials: this.#credentials,
      submitter,
      events: this.#events,
      tracing: () => this.#tracing,
      people: this.#people,
      links,
      activity: this.#activity,
      requestLog: this.#requestLog,
      limits,
      dns: new DnsRecords({ servers: config.DNS_SERVERS, timeoutMs: config.DNS_TIMEOUT_MS }),
      domainHosts: domainHosts(config),
      sandbox: config.DELIVERY_MODE === 'sandbox',
      requests: new RequestLimit(config.API_REQUESTS_PER_SECOND),
      trustedProxies: config.API_TRUSTED_PROXIES,
      secretBox: this.#secretBox,
      webhooksAllowPrivate: config.WEBHOOKS_ALLOW_PRIVATE,
      publicUrl: config.POSTEL_PUBLIC_URL,
      ready: () => this.#ready(),
      hasStarted: () => this.#readiness.hasStarted,
    })
    this.#server = createServer(
      {
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: keepAliveMs,
        connectionsCheckingInterval: 2_000,
      },
      app,
    )
  }

  /** The ports in use, for a configuration that left the choice to the system. */
  get ports(): { api: number; health: number } {
    return { api: (this.#server.address() as AddressInfo).port, health: this.#health!.port }
  }

  /** Whether it answers, be it that it has not started yet. */
  get listening(): boolean {
    return this.#server.listening
  }

  async start(): Promise<void> {
    const config = this.#config
    this.#health = await serveHealth({
      config,
      registry: this.#registry,
      ready: () => this.#ready(),
    })
    // Until it has started, clients are asked to come again
    await listen(this.#server, config.API_PORT, '0.0.0.0')
    this.#tracing = await startTracing('api', config)
    if (!(await this.#readiness.schema(this.#sql, this.#stopped.signal))) return
    if (!config.POSTEL_UNSAFE_DATABASE) await requireDurability(this.#sql)
    await requireSecret(this.#sql, this.#secretBox).catch((error) => {
      if (!isDatabaseAway(error)) throw error
      this.#events.notReady(error)
    })
    this.#readiness.started()
    await this.#tellSettings().catch((error) => this.#events.notReady(error))
    this.#people.reseal()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #ready(): Promise<void> {
    if (this.#stopping) throw new Error('stopping')
    await this.#readiness.require()
    await this.#tellSettings()
  }

  /** Once; the database may go away while this process starts. */
  async #tellSettings(): Promise<void> {
    if (this.#settingsTold) return
    await writeSystemSettings(this.#readiness.sql, {
      mail_from: this.#config.SYSTEM_MAIL_FROM ?? null,
      mail_project: this.#config.SYSTEM_MAIL_PROJECT ?? null,
    })
    this.#settingsTold = true
  }

  async #stop(): Promise<void> {
    this.#stopped.abort()
    await this.#drain()
    await this.#people.stop()
    await this.#activity.stop()
    await this.#requestLog.flush()
    await this.#intake.stop()
    await this.#tracing?.stop()
    await this.#health?.stop()
    await this.#credentials.stop()
    await Promise.all([
      this.#sql.end({ timeout: 5 }),
      this.#authSql.end({ timeout: 5 }),
      this.#readiness.stop(),
    ])
  }

  /** Requests that have begun are answered; connections without one are closed. */
  async #drain(): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise((resolve) => this.#server.close(resolve))
    const idle = setInterval(() => this.#server.closeIdleConnections(), 100)
    const deadline = setTimeout(() => this.#server.closeAllConnections(), drainMs)
    await closed
    clearInterval(idle)
    clearTimeout(deadline)
  }
}
