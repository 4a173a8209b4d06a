/**
 * The outbound process. The flow: hold IPs → read their queue into lanes → find each domain's site → take and load → sign →
 * send over the site's sessions → record. Hints and a poll start it, ends of messages keep it going.
 */
import { randomUUID } from 'node:crypto'
import { controlChannel, outboundChannel, unpackIds } from '@postel/db/bus/channels'
import { Listener } from '@postel/db/bus/listener'
import { Publisher } from '@postel/db/bus/publisher'
import { requireDurability } from '@postel/db/client'
import { addProcessMetrics } from '@postel/db/process-metrics'
import { type LoadedMessage, OutboundQueries } from '@postel/db/queries/outbound'
import { readPolicies } from '@postel/db/queries/policies'
import { RetrySchedule } from '@postel/db/queries/retry-schedule'
import { SandboxStore } from '@postel/db/queries/sandbox-store'
import { loadSites, saveDestinations, saveSites } from '@postel/db/queries/sites'
import { TlsQueries } from '@postel/db/queries/tls'
import { Readiness } from '@postel/db/readiness'
import { requireSecret } from '@postel/db/sealed-secrets'
import { backoffMs, pause } from '@postel/runtime/backoff'
import { type Health, serveHealth } from '@postel/runtime/health'
import type { Logger } from '@postel/runtime/logger'
import { createRegistry } from '@postel/runtime/metrics'
import type { Service } from '@postel/runtime/run-service'
import { openSmarthost } from '@postel/runtime/sealed-smarthost'
import { createSecretBox, type SecretBox } from '@postel/runtime/secret-box'
import { startTracing, type Tracing } from '@postel/runtime/tracing'
import { readable } from './classify.ts'
import type { OutboundConfig } from './config.ts'
import { Directory } from './directory.ts'
import { OutboundEvents } from './events.ts'
import { Holder } from './holder.ts'
import { Lanes } from './lanes.ts'
import { Notes } from './notes.ts'
import { planFor, soleDestination } from './plan.ts'
import { Policies } from './policies.ts'
import { Reader } from './reader.ts'
import { Recorder } from './recorder.ts'
import { openSandboxMailbox, type SandboxMailbox } from './sandbox-mailbox.ts'
import { Signer } from './sign.ts'
import { Sites } from './sites.ts'
import { stopped, TakeLoop } from './take-loop.ts'
import { TestMail } from './test-mail.ts'
import { traceDelivery } from './trace-delivery.ts'
import { Transport } from './transport.ts'

const reportEveryMs = 250
/** How long a process is young. */
const carefulMs = 30_000
const lookAgainEveryMs = 1_000
const lookAtAllEvery = 10
/** Less than Kubernetes' grace period of 90 s, so that what was learned is still written down. */
const stopAfterDotMs = 60_000

export class OutboundService implements Service {
  readonly #config: OutboundConfig
  readonly #processId = randomUUID()
  readonly #registry = createRegistry('outbound', { processMetrics: true })
  readonly #events: OutboundEvents
  readonly #readiness: Readiness
  readonly #queries: OutboundQueries
  readonly #secretBox: SecretBox
  readonly #publisher: Publisher
  readonly #listener: Listener
  readonly #holder: Holder
  readonly #policies: Policies
  readonly #transport: Transport
  readonly #directory: Directory
  readonly #notes: Notes
  readonly #lanes: Lanes
  readonly #reader: Reader
  readonly #recorder: Recorder
  readonly #sites: Sites
  readonly #testMail: TestMail
  readonly #loop: TakeLoop
  #mailbox: SandboxMailbox | undefined
  #tracing: Tracing | undefined
  readonly #stopped = new AbortController()
  #health: Health | undefined
  #reportTimer: NodeJS.Timeout | undefined
  #lookTimer: NodeJS.Timeout | undefined
  #looks = 0
  #reported = ''
  #nextReport: Promise<void> | undefined
  #reporting: Promise<void> = Promise.resolve()
  #startedAt = performance.now()
  #stopping: Promise<void> | undefined

  constructor(config: OutboundConfig, log: Logger) {
    this.#config = config
    const url = config.DATABASE_DIRECT_URL ?? config.DATABASE_URL
    const events = new OutboundEvents(log, this.#registry, () => ({
      held: this.#holder.count,
      lanes: this.#lanes.count,
      inFlight: this.#loop.inFlight.size,
      unrecorded: this.#recorder.count,
      connections: this.#sites.connections,
    }))
    this.#events = events
    this.#queries = new OutboundQueries(url)
    this.#readiness = new Readiness({
      url,
      name: 'postel-outbound',
      onWaiting: (reason) => events.waiting(reason),
    })
    this.#publisher = new Publisher(url, 'postel-outbound-notify', (error) => events.hintLost(error))
    const schedule = new RetrySchedule(this.#queries.sql, (error) => events.hintLost(error))

    this.#policies = new Policies({
      read: () => readPolicies(this.#queries.sql),
      connectionsMax: config.DELIVERY_CONNECTIONS_PER_SITE,
      hostname: config.POSTEL_HOSTNAME,
      openSmarthost: (smarthost) => openSmarthost(smarthost, this.#secretBox),
      onChange: (resumed) => {
        this.#directory.expire()
        this.#lanes.dropSuspended((projectId, domain) => this.#policies.isSuspended(projectId, domain))
        this.#lanes.unparkAll()
        if (resumed) this.#reader.readAnew()
        this.#loop.pump()
      },
      onBadRule: (name, problem) => events.ruleUnusable(name, problem),
      onError: (error) => events.policiesFailed(error),
    })
    this.#transport = new Transport({
      config,
      queries: new TlsQueries(this.#queries.sql),
      isOurs: (hostOrAddress) => this.#policies.isOurs(hostOrAddress),
      onError: (error) => events.notesFailed(error),
    })
    const { router } = this.#transport
    this.#directory = new Directory({
      sole: soleDestination(config, router, () => this.#mailbox!.port),
      plan: (domain) => planFor(domain, this.#policies, router),
      onFound: (domain) => {
        this.#lanes.unpark(`domain ${domain}`)
        this.#loop.pump()
      },
    })
    this.#lanes = new Lanes({ onShed: (rows) => this.#reader.shed(rows) })
    this.#reader = new Reader({
      queries: this.#queries,
      lanes: this.#lanes,
      events,
      pollMs: config.OUTBOUND_POLL_SECONDS * 1000,
      onWork: () => this.#loop.pump(),
      onLoaded: (message) => this.#loop.accept(message),
      isSendable: (ipId) => this.#holder.sendable(ipId) !== undefined,
      suspended: () => this.#policies.suspended,
      isSuspended: (projectId, domain) => this.#policies.isSuspended(projectId, domain),
      policiesSettled: () => this.#policies.settled(),
      isInFlight: (id) => this.#loop.inFlight.has(id),
    })
    this.#holder = new Holder({
      queries: this.#queries,
      events,
      processId: this.#processId,
      nodeName: config.NODE_NAME,
      addresses: config.OUTBOUND_ADDRESSES,
      onAcquired: (ips) => void this.#acquired(ips.map((ip) => ip.ipId)),
      onLost: (ipIds) => {
        for (const id of ipIds) {
          this.#reader.remove(id)
          this.#sites.stay(id)
        }
      },
      onLeaving: (ipIds) => {
        for (const id of ipIds) {
          this.#reader.remove(id)
          this.#sites.leave(id, stopAfterDotMs)
        }
      },
      isBusy: (ipId) => this.#loop.isBusy(ipId),
    })
    this.#recorder = new Recorder({
      queries: this.#queries,
      events,
      onRecorded: (outcomes, due, made) => {
        for (const outcome of outcomes) {
          this.#loop.leave(outcome)
          this.#reader.forget(outcome)
        }
        this.#testMail.recorded(outcomes)
        if (due.length > 0) void schedule.add(due)
        this.#publisher.events(made)
        this.#loop.pump()
      },
    })
    this.#secretBox = createSecretBox(config.POSTEL_SECRET, config.POSTEL_SECRET_PREVIOUS)
    const signer = new Signer(this.#queries, this.#secretBox, Buffer.from(config.POSTEL_SECRET, 'base64'))
    this.#sites = new Sites({
      destinationOf: (domain, urgent) => this.#directory.find(domain, urgent),
      sendable: (ipId) => this.#holder.sendable(ipId),
      holds: (ipId) => this.#holder.holds(ipId),
      insistsOnTls: (message) => this.#policies.insistsOnTls(message.projectId, message.signingDomain),
      hostname: config.POSTEL_HOSTNAME,
      commandSeconds: config.DELIVERY_COMMAND_SECONDS,
      finalDotSeconds: config.DELIVERY_FINAL_DOT_SECONDS,
      connecting: this.#transport.connecting,
      tellEnvelopeId: config.DELIVERY_MODE === 'sandbox',
      replyRules: () => this.#policies.replyRules,
      sign: (raw, message) => signer.sign(raw, message),
      onOutcome: (outcome, message, site) => {
        events.tried(outcome, message, site)
        if (this.#tracing)
          traceDelivery(this.#tracing, outcome, message, site, this.#holder.holds(outcome.ipId)?.address)
        this.#recorder.add(outcome)
        this.#loop.pump()
      },
      onFault: (message, error, inDoubt) => void this.#fail(message, error, inDoubt),
      recordPart: async (outcome, message, site) => {
        try {
          const { events: made } = await this.#queries.recordPart(outcome)
          events.tried(outcome, message, site)
          this.#publisher.events(made)
          return true
        } catch (error) {
          events.recordFailed(error, 1)
          return false
        }
      },
      onRoom: (obstacle, rows) => {
        this.#lanes.unpark(obstacle, rows)
        this.#loop.pump()
      },
      onReleased: (message) => {
        this.#loop.leave(message)
        this.#reader.release(message)
      },
    })
    this.#testMail = new TestMail({
      store: new SandboxStore(this.#queries.sql),
      hostname: config.POSTEL_HOSTNAME,
      sendable: (ipId) => this.#holder.sendable(ipId),
      onOutcome: (outcome, message) => {
        events.tried(outcome, message, 'test')
        if (this.#tracing) traceDelivery(this.#tracing, outcome, message, 'test', undefined)
        this.#recorder.add(outcome)
      },
      onReleased: (message) => {
        this.#loop.leave(message)
        this.#reader.release(message)
      },
      onError: (error) => events.sandboxFailed(error),
      onRoom: () => {
        this.#lanes.unpark('test mail')
        this.#loop.pump()
      },
    })
    this.#notes = new Notes({
      takeSites: () => this.#sites.takeChanges(),
      untell: (sites) => this.#sites.untell(sites),
      takeDestinations: () => this.#directory.takeFound(),
      saveSites: (sites) => saveSites(this.#queries.sql, sites),
      saveDestinations: (found) => saveDestinations(this.#queries.sql, found),
      onError: (error) => events.notesFailed(error),
    })
    this.#loop = new TakeLoop({
      queries: this.#queries,
      lanes: this.#lanes,
      reader: this.#reader,
      sites: this.#sites,
      testMail: this.#testMail,
      recorder: this.#recorder,
      signer,
      events,
      announce: () => this.#announce(),
      onFault: (message, error, inDoubt) => void this.#fail(message, error, inDoubt),
      mayStart: ({ ipId, projectId, domain }) =>
        this.#holder.sendable(ipId) !== undefined && !this.#policies.isSuspended(projectId, domain),
    })
    this.#listener = new Listener({
      url,
      name: 'postel-outbound-listen',
      channels: [outboundChannel, controlChannel],
      onNotification: (channel, payload) => {
        if (channel === outboundChannel) this.#reader.hint(unpackIds(payload))
        else {
          this.#holder.refresh()
          this.#policies.refresh()
        }
      },
      onReady: () => this.#reader.rescan(),
      onError: (error) => events.listenFailed(error),
    })
    addProcessMetrics(this.#registry, {
      app: 'postel-outbound',
      publisher: this.#publisher,
      listener: this.#listener,
    })
  }

  get healthPort(): number {
    return this.#health!.port
  }

  async start(): Promise<void> {
    const config = this.#config
    this.#health = await serveHealth({
      config,
      registry: this.#registry,
      ready: () => this.#readiness.require(),
    })
    if (!(await this.#readiness.schema(this.#queries.sql, this.#stopped.signal))) return
    this.#tracing = await startTracing('outbound', config)
    if (!config.POSTEL_UNSAFE_DATABASE) await requireDurability(this.#queries.sql)
    await requireSecret(this.#queries.sql, this.#secretBox)
    this.#startedAt = performance.now()
    if (config.DELIVERY_MODE === 'sandbox')
      this.#mailbox = await openSandboxMailbox(new SandboxStore(this.#queries.sql), this.#events)
    await this.#policies.start()
    await this.#transport.start()
    await this.#listener.start()
    this.#reader.start()
    await this.#holder.start()
    this.#reportTimer = setInterval(() => void this.#report(), reportEveryMs)
    this.#lookTimer = setInterval(() => this.#lookAgain(), lookAgainEveryMs)
    this.#notes.start()
    this.#readiness.started()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#stopped.abort()
    this.#reader.stop()
    this.#policies.stop()
    clearInterval(this.#lookTimer)
    await this.#listener.stop()
    await this.#loop.stop()
    this.#lanes.clear()
    await this.#sites.stop(stopAfterDotMs)
    await this.#testMail.stop()
    await this.#recorder.flush(5_000)
    clearInterval(this.#reportTimer)
    await this.#notes.stop()
    await this.#transport.stop()
    await this.#holder.stop()
    // With outcomes unrecorded the holds must expire instead: the successor then treats those rows as tried
    if (this.#recorder.count === 0)
      await this.#holder.release().catch((error) => this.#events.holdFailed(error))
    await this.#publisher.stop()
    await this.#tracing?.stop()
    await this.#mailbox?.stop()
    await this.#health?.stop()
    await Promise.all([this.#queries.stop(), this.#readiness.stop()])
  }

  /** Reads an IP's queue once it is known what its sites have taught the last holder. */
  async #acquired(ipIds: readonly number[]): Promise<void> {
    for (const id of ipIds) this.#sites.stay(id)
    try {
      this.#sites.remember(await loadSites(this.#queries.sql, ipIds))
    } catch (error) {
      this.#events.notesFailed(error)
    }
    for (const id of ipIds) if (this.#holder.holds(id) && !this.#holder.isLeaving(id)) this.#reader.add(id)
  }

  /** IPs may have been resumed and suspensions may have ended; and, now and then, everything else. */
  #lookAgain(): void {
    if (++this.#looks % lookAtAllEvery === 0) this.#lanes.unparkAll()
    else this.#lanes.unpark(stopped)
    this.#loop.pump()
  }

  /** Counts a try that failed within this process. Until that is written down the message stays in flight. */
  async #fail(message: LoadedMessage, error: unknown, inDoubt: boolean): Promise<void> {
    this.#events.messageFailed(message.messageId, error)
    const reason = readable(`this system failed on it: ${error}`, 300)
    for (let failures = 0; ; failures++) {
      try {
        await this.#queries.failRow(message, reason, inDoubt)
        break
      } catch (fault) {
        if (this.#stopping) return
        this.#events.recordFailed(fault, 1)
        await pause(backoffMs(failures, 100, 5_000))
      }
    }
    this.#loop.leave(message)
    this.#reader.forget(message)
    this.#loop.pump()
  }

  /**
   * Writes down what is in flight, at once while the process is young: a message that killed the last one is tried again
   * right away, and must be known to be in flight before it can kill this one.
   */
  #announce(): Promise<void> | undefined {
    return performance.now() - this.#startedAt < carefulMs ? this.#report() : undefined
  }

  /** Writes down what is in flight when it has changed. Who asks while a report is being written shares the next one. */
  #report(): Promise<void> {
    this.#nextReport ??= this.#reporting.then(async () => {
      this.#nextReport = undefined
      const ids = [...this.#loop.inFlight.keys()]
      const text = ids.join()
      if (text === this.#reported) return
      try {
        await this.#queries.reportInFlight(this.#processId, ids)
        this.#reported = text
      } catch (error) {
        this.#events.holdFailed(error)
      }
    })
    this.#reporting = this.#nextReport
    return this.#reporting
  }
}
