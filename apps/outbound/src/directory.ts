/**
 * Which destination each recipient domain has, answered at once from memory. What is not known yet is looked up, so many
 * at a time, and said when it is; what has grown old is still good until the new answer is there.
 */
import type { Destination, Plan } from './plan.ts'

export type DirectoryOptions = {
  /** In modes where all mail has the same. */
  sole: Destination | undefined
  plan: (domain: string) => Promise<Plan>
  /** A domain that was not known is now. */
  onFound: (domain: string) => void
}

/** What people are shown of a domain. */
export type FoundDestination = { domain: string; site: string; hosts: readonly string[] }

const domainsMax = 200_000
/** That a domain is still written to is worth telling this often. */
const tellEveryMs = 24 * 3_600_000
const lookUpsMax = 200
/** More, for urgent mail: it does not wait behind domains whose name servers are dead. */
const urgentLookUpsMax = 300

export class Directory {
  readonly #options: DirectoryOptions
  readonly #known = new Map<string, Plan & { toldAt: number }>()
  readonly #wanted = new Set<string>()
  readonly #urgent = new Set<string>()
  readonly #lookingUp = new Set<string>()
  #found = new Map<string, FoundDestination>()

  constructor(options: DirectoryOptions) {
    this.#options = options
  }

  /** The domain's destination; undefined while it is being found out, which is done for urgent mail first. */
  find(domain: string, urgent: boolean): Destination | undefined {
    if (this.#options.sole) return this.#options.sole
    const known = this.#known.get(domain)
    if (!known || known.expiresAt <= performance.now()) this.#want(domain, urgent)
    return known?.destination
  }

  /** Rules have changed: everything is found out anew as it is asked for, and the old answer is good meanwhile. */
  expire(): void {
    for (const plan of this.#known.values()) plan.expiresAt = 0
  }

  /** What was found since the last call. */
  takeFound(): FoundDestination[] {
    if (this.#found.size === 0) return []
    const found = [...this.#found.values()]
    this.#found = new Map()
    return found
  }

  #want(domain: string, urgent: boolean): void {
    if (this.#lookingUp.has(domain)) return
    if (this.#lookingUp.size < (urgent ? urgentLookUpsMax : lookUpsMax)) void this.#lookUp(domain)
    else (urgent ? this.#urgent : this.#wanted).add(domain)
  }

  async #lookUp(domain: string): Promise<void> {
    this.#urgent.delete(domain)
    this.#wanted.delete(domain)
    this.#lookingUp.add(domain)
    const plan = await this.#options.plan(domain)
    this.#lookingUp.delete(domain)
    const before = this.#known.get(domain)
    if (!before && this.#known.size >= domainsMax) this.#known.delete(this.#known.keys().next().value!)
    const { site } = plan.destination
    const now = performance.now()
    const isNew = before?.destination.site !== site || before.hosts.join() !== plan.hosts.join()
    const tell = isNew || now - before.toldAt > tellEveryMs
    if (tell) this.#found.set(domain, { domain, site, hosts: plan.hosts })
    this.#known.set(domain, { ...plan, toldAt: tell ? now : before.toldAt })
    const [next] = this.#urgent.size > 0 ? this.#urgent : this.#wanted
    if (next !== undefined) this.#want(next, this.#urgent.has(next))
    if (!before) this.#options.onFound(domain)
  }
}
