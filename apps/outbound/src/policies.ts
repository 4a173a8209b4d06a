/** The rules, suspensions and TLS demands in force: read at start, when postel_control says so, and every few seconds. */
import type { Suspended } from '@postel/db/queries/outbound'
import type { PolicyRows } from '@postel/db/queries/policies'
import { type CompiledReplyRule, compileReplyRules } from '@postel/mail/reply-classifier'
import { type DestinationRule, DestinationRules } from './rules.ts'

const refreshEveryMs = 5_000

export type PoliciesOptions = {
  read: () => Promise<PolicyRows>
  /** connections_max where no rule says anything. */
  connectionsMax: number
  hostname: string
  /** Gives the smarthost's URL with its password in plain text; throws when that cannot be opened. */
  openSmarthost: (smarthost: string) => string
  /** Something is different from before. `resumed`: a domain or project is not suspended any more. */
  onChange: (resumed: boolean) => void
  onBadRule: (name: string, problem: string) => void
  onError: (error: unknown) => void
}

export class Policies {
  readonly #options: PoliciesOptions
  #rules: DestinationRules
  #replyRules: readonly CompiledReplyRule[] = []
  #suspendedDomains: readonly string[] = []
  #domains = new Set<string>()
  #allSuspended = false
  #projects = new Set<string>()
  #enforcedProjects = new Set<string>()
  #enforcedDomains = new Set<string>()
  #ownAddresses = new Set<string>()
  #ownNames: Set<string>
  #text = ''
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> | undefined
  #again = false

  constructor(options: PoliciesOptions) {
    this.#options = options
    this.#rules = new DestinationRules([], options.connectionsMax, options.openSmarthost)
    this.#ownNames = new Set([options.hostname.toLowerCase()])
  }

  /** Resolves once the policies were read; rejects when they cannot be: nothing may be sent without them. */
  async start(): Promise<void> {
    this.#take(await this.#options.read())
    this.#timer = setInterval(() => this.refresh(), refreshEveryMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Reads them anew; a failure leaves the old ones in force. */
  refresh(): void {
    if (this.#reading) {
      this.#again = true
      return
    }
    this.#reading = this.#options
      .read()
      .then((rows) => this.#take(rows))
      .catch((error) => this.#options.onError(error))
      .finally(() => {
        this.#reading = undefined
        if (!this.#again) return
        this.#again = false
        this.refresh()
      })
  }

  /** Resolves when no new ones are being read: who waits for it acts on what had been decided when it asked. */
  async settled(): Promise<void> {
    while (this.#reading) await this.#reading
  }

  get replyRules(): readonly CompiledReplyRule[] {
    return this.#replyRules
  }

  /** The rule for a recipient domain whose best mail exchangers are known. */
  ruleOf(domain: string, hosts: readonly string[]): DestinationRule {
    return this.#rules.ofDomain(domain) ?? this.#rules.ofHosts(hosts) ?? this.#rules.fallback
  }

  /** The rule for what no other names. */
  get fallback(): DestinationRule {
    return this.#rules.fallback
  }

  /** The rule that names the domain itself: it may know a way that needs no mail exchanger. */
  ruleOfDomain(domain: string): DestinationRule | undefined {
    return this.#rules.ofDomain(domain)
  }

  /** What the reader leaves in the table. */
  get suspended(): Suspended {
    return { projects: [...this.#projects], domains: this.#suspendedDomains, all: this.#allSuspended }
  }

  /** Whether nothing of the project, or to the domain, may be sent for now. */
  isSuspended(projectId: string, domain: string): boolean {
    if (this.#allSuspended) return true
    if (this.#projects.size > 0 && this.#projects.has(projectId)) return true
    if (this.#domains.size === 0) return false
    if (this.#domains.has(domain)) return true
    for (let dot = domain.indexOf('.'); dot >= 0; dot = domain.indexOf('.', dot + 1))
      if (this.#domains.has(`*${domain.slice(dot)}`)) return true
    return false
  }

  /** Whether a message must leave over TLS with a good certificate, by its project or its sender's domain. */
  insistsOnTls(projectId: string, signingDomain: string | null): boolean {
    return (
      this.#enforcedProjects.has(projectId) ||
      (signingDomain !== null && this.#enforcedDomains.has(signingDomain))
    )
  }

  /** Whether a host name or address is one of this system's: mail must not be sent to ourselves. */
  isOurs(hostOrAddress: string): boolean {
    return this.#ownAddresses.has(hostOrAddress) || this.#ownNames.has(hostOrAddress.toLowerCase())
  }

  #take(rows: PolicyRows): void {
    const text = JSON.stringify(rows)
    if (text === this.#text) return
    const { connectionsMax, hostname, openSmarthost, onBadRule, onChange } = this.#options
    const resumed =
      (this.#allSuspended && !rows.allSuspended) ||
      [...this.#suspendedDomains].some((domain) => !rows.suspendedDomains.includes(domain)) ||
      [...this.#projects].some((project) => !rows.suspendedProjects.includes(project))
    this.#rules = new DestinationRules(rows.rules, connectionsMax, openSmarthost, onBadRule)
    this.#replyRules = compileReplyRules(rows.replyRules, (row, reason) => onBadRule(row.pattern, reason))
    this.#suspendedDomains = rows.suspendedDomains
    this.#domains = new Set(rows.suspendedDomains)
    this.#projects = new Set(rows.suspendedProjects)
    this.#allSuspended = rows.allSuspended
    this.#enforcedProjects = new Set(rows.enforcedProjects)
    this.#enforcedDomains = new Set(rows.enforcedDomains)
    this.#ownAddresses = new Set(rows.ownAddresses)
    this.#ownNames = new Set([hostname.toLowerCase(), ...rows.ownNames])
    this.#text = text
    onChange(resumed)
  }
}
