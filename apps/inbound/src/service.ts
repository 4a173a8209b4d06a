/** The inbound process: SMTP listeners for submission and for what comes back, one group commit, health. */

import { connect, requireDurability, type Sql } from '@postel/db/client'
import { Intake } from '@postel/db/intake'
import { addProcessMetrics } from '@postel/db/process-metrics'
import { Credentials } from '@postel/db/queries/credentials'
import { MailFeatureDirectory } from '@postel/db/queries/tracking'
import { Readiness } from '@postel/db/readiness'
import { MailLinks } from '@postel/mail/tracking'
import { type Health, listen, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import { Networks } from '@postel/runtime/networks'
import type { Service } from '@postel/runtime/run-service'
import { domainHosts } from '@postel/runtime/settings'
import { startTracing, type Tracing } from '@postel/runtime/tracing'
import { AuthGuard } from './auth-guard.ts'
import { Authorizer } from './authorize.ts'
import type { InboundConfig } from './config.ts'
import type { SubmissionServer } from './connection.ts'
import { InboundEvents } from './events.ts'
import { createIncomingServer } from './incoming-server.ts'
import { selfSignedCertificate } from './self-signed.ts'
import { createServer } from './server.ts'
import { type Certificate, readCertificate, watchCertificate } from './tls.ts'

/** With what the client adds for the answer, whoever submits knows within 30 s. */
const statementTimeoutMs = 20_000

export class InboundService implements Service {
  readonly #config: InboundConfig
  readonly #events: InboundEvents
  readonly #registry = createRegistry('inbound', { processMetrics: true })
  readonly #sql: Sql
  readonly #readiness: Readiness
  readonly #intake: Intake
  readonly #credentials: Credentials
  readonly #authorizer: Authorizer
  #servers: SubmissionServer[] = []
  readonly #stopped = new AbortController()
  #health: Health | undefined
  #tracing: Tracing | undefined
  #stopping: Promise<void> | undefined

  constructor(config: InboundConfig, log: Logger) {
    this.#config = config
    this.#events = new InboundEvents(log, this.#registry, () =>
      this.#servers.reduce((count, server) => count + server.connections.size, 0),
    )
    this.#sql = connect(config.DATABASE_URL, { name: 'postel-inbound', max: 4, statementTimeoutMs })
    this.#readiness = new Readiness({
      url: config.DATABASE_URL,
      name: 'postel-inbound',
      onWaiting: (reason) => this.#events.waiting(reason),
    })
    this.#intake = new Intake({
      url: config.DATABASE_URL,
      sql: this.#sql,
      app: 'inbound',
      tracing: () => this.#tracing,
      onHintLost: (error) => this.#events.hintLost(error),
      onLimitsFailed: (error) => this.#events.limitsFailed(error),
    })
    this.#credentials = new Credentials(this.#sql, (error) => this.#events.usesLost(error))
    this.#authorizer = new Authorizer(this.#credentials)
    addProcessMetrics(this.#registry, { app: 'postel-inbound', publisher: this.#intake.publisher })
  }

  /** The ports in use, for a configuration that left the choice to the system. */
  get ports(): { submission: number; submissions: number; mx: number; health: number } {
    const [submission, submissions, mx] = this.#servers.map(
      (server) => (server.server.address() as { port: number }).port,
    )
    return { submission: submission!, submissions: submissions!, mx: mx!, health: this.#health!.port }
  }

  async start(): Promise<void> {
    const config = this.#config
    this.#health = await serveHealth({
      config,
      registry: this.#registry,
      ready: () => this.#readiness.require(),
    })
    if (!(await this.#readiness.schema(this.#sql, this.#stopped.signal))) return
    this.#tracing = await startTracing('inbound', config)
    if (!config.POSTEL_UNSAFE_DATABASE) await requireDurability(this.#sql)
    // Known networks from the first connection on
    await this.#authorizer.authorize(undefined, '127.0.0.1')
    const certificate = await this.#certificate()
    this.#events.certificateInUse(certificate.cert)
    const features = new MailFeatureDirectory(this.#sql)
    const secrets = [config.POSTEL_SECRET, config.POSTEL_SECRET_PREVIOUS].filter((each) => each !== undefined)
    const links = new MailLinks({
      secrets,
      publicUrl: config.POSTEL_PUBLIC_URL,
      featuresOf: (project, domain) => features.of(project, domain),
    })
    const context = {
      config,
      links,
      authorizer: this.#authorizer,
      proxies: new Networks(config.SMTP_PROXY_PROTOCOL_FROM),
      guard: new AuthGuard(),
      submitter: this.#intake.submitter,
      events: this.#events,
      tracing: () => this.#tracing,
    }
    const incoming = {
      config,
      sql: this.#sql,
      proxies: context.proxies,
      hosts: [domainHosts(config).mailHost, config.POSTEL_HOSTNAME.toLowerCase()],
      secrets: secrets.map((secret) => Buffer.from(secret, 'base64')),
      forwardTo: config.POSTMASTER_FORWARD_TO,
      onEvents: (payloads: readonly string[]) => this.#intake.publisher.events(payloads),
      events: this.#events,
    }
    this.#servers = [
      createServer(context, false, certificate),
      createServer(context, true, certificate),
      createIncomingServer(incoming, certificate),
    ]
    await listen(this.#servers[0]!.server, config.SMTP_SUBMISSION_PORT, config.SMTP_HOST)
    await listen(this.#servers[1]!.server, config.SMTP_SUBMISSIONS_PORT, config.SMTP_HOST)
    await listen(this.#servers[2]!.server, config.SMTP_MX_PORT, config.SMTP_HOST)
    this.#readiness.started()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#stopped.abort()
    // Sessions get 421 at their next command; a message whose dot has come is still stored and answered.
    await Promise.all(this.#servers.map((server) => new Promise<void>((resolve) => server.close(resolve))))
    await this.#intake.stop()
    await this.#tracing?.stop()
    await this.#health?.stop()
    await this.#credentials.stop()
    await Promise.all([this.#sql.end({ timeout: 5 }), this.#readiness.stop()])
  }

  async #certificate(): Promise<Certificate> {
    const { SMTP_TLS_CERT_FILE: certFile, SMTP_TLS_KEY_FILE: keyFile } = this.#config
    if (!certFile || !keyFile) return selfSignedCertificate(this.#config.POSTEL_HOSTNAME)
    await watchCertificate(certFile, keyFile, this.#stopped.signal, () => {
      try {
        const certificate = readCertificate(certFile, keyFile)
        for (const server of this.#servers) server.updateSecureContext(certificate)
        this.#events.certificateInUse(certificate.cert)
        this.#events.certificateReloaded()
      } catch (error) {
        this.#events.certificateRefused(error)
      }
    })
    return readCertificate(certFile, keyFile)
  }
}
