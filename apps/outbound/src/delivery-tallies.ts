/** What became of mail, counted by category, source IP, provider, project and number of tries: each with a bounded number of series. */
import type { Outcome } from '@postel/db/queries/outbound'
import { replyCategories } from '@postel/mail/reply-categories'
import type { Registry } from '@postel/runtime/metrics'
import { topProjects } from '@postel/runtime/project-tally'
import { type Tally, TallyCounter, TallyHistogram } from '@postel/runtime/tally'
import { TopNames } from '@postel/runtime/top-names'

/** Providers with series of their own in each process. */
const topProviders = 30
const tries = ['1', '2', '3', '4-6', '7-10', '11+'] as const
const outcomes = ['delivered', 'deferred', 'bounced'] as const
type Result = (typeof outcomes)[number]
type Tallies = Record<Result, Tally>

/** What is known of a message that was tried, beside the outcome. */
export type Tried = { projectId: string; attempts: number }

export class DeliveryTallies {
  readonly #byCategory
  readonly #byIp
  readonly #byProvider
  readonly #byProject
  readonly #byTries
  readonly #inDoubt
  readonly #seconds
  /** By outcome and category, then each IP's. */
  readonly #categories = new Map<string, Tally>()
  readonly #ips = new Map<number, Map<string, Tally>>()
  readonly #addresses = new Map<number, string>()

  constructor(registry: Registry) {
    const registers = [registry]
    this.#byCategory = new TallyCounter<'outcome' | 'category'>({
      name: 'postel_deliveries_total',
      help: 'Recipients tried, by outcome and category',
      registers,
    })
    this.#byIp = new TallyCounter<'ip' | 'outcome' | 'category'>({
      name: 'postel_deliveries_by_ip_total',
      help: 'Recipients tried from each source IP, by outcome and category',
      registers,
    })
    this.#byProvider = topTallies(
      new TallyCounter<'provider' | 'outcome'>({
        name: 'postel_deliveries_by_provider_total',
        help: 'Recipients tried at each provider by outcome: the busiest ones, and the others together',
        registers,
      }),
      'provider',
      topProviders,
    )
    this.#byProject = topTallies(
      new TallyCounter<'project' | 'outcome'>({
        name: 'postel_deliveries_by_project_total',
        help: 'Recipients tried of each project by outcome: the busiest ones, and the others together',
        registers,
      }),
      'project',
      topProjects,
    )
    const byTries = new TallyCounter<'attempt' | 'outcome'>({
      name: 'postel_delivery_tries_total',
      help: 'Recipients tried, by which try it was',
      registers,
    })
    this.#byTries = tries.map((attempt) => talliesOf((outcome) => byTries.series({ attempt, outcome })))
    this.#inDoubt = new TallyCounter({
      name: 'postel_deliveries_in_doubt_total',
      help: 'Messages whose final dot was sent and whose reply was not seen',
      registers,
    }).series({})
    this.#seconds = new TallyHistogram({
      name: 'postel_delivery_seconds',
      help: 'From taking a message up to the last reply',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers,
    }).series({})
    // There from the start, so that the first of its kind is seen as an increase
    this.#category('delivered', null)
    for (const category of Object.keys(replyCategories))
      for (const outcome of ['deferred', 'bounced'] as const) this.#category(outcome, category)
  }

  /** IPs are shown by their addresses, which must be known before anything is sent from them. */
  knowIp(ipId: number, address: string): void {
    this.#addresses.set(ipId, address)
  }

  count(outcome: Outcome, { projectId, attempts }: Tried, provider: string): void {
    this.#seconds.observe(outcome.durationMs / 1000)
    if (outcome.inDoubt) this.#inDoubt.value++
    const atProvider = this.#byProvider.of(provider)
    const ofProject = this.#byProject.of(projectId)
    const atTry = this.#byTries[tryIndex(attempts + 1)]!
    for (const { outcome: result, category } of outcome.recipients) {
      this.#category(result, category).value++
      this.#ofIp(outcome.ipId, result, category).value++
      atProvider[result].value++
      ofProject[result].value++
      atTry[result].value++
    }
  }

  #category(outcome: Result, category: string | null): Tally {
    const key = category === null ? outcome : `${outcome} ${category}`
    let tally = this.#categories.get(key)
    if (!tally) {
      tally = this.#byCategory.series({ outcome, category: category ?? 'none' })
      this.#categories.set(key, tally)
    }
    return tally
  }

  #ofIp(ipId: number, outcome: Result, category: string | null): Tally {
    let tallies = this.#ips.get(ipId)
    if (!tallies) {
      tallies = new Map()
      this.#ips.set(ipId, tallies)
    }
    const key = category === null ? outcome : `${outcome} ${category}`
    let tally = tallies.get(key)
    if (!tally) {
      const ip = this.#addresses.get(ipId) ?? 'unknown'
      tally = this.#byIp.series({ ip, outcome, category: category ?? 'none' })
      tallies.set(key, tally)
    }
    return tally
  }
}

function topTallies<Label extends string>(
  counter: TallyCounter<Label | 'outcome'>,
  label: Label,
  limit: number,
): TopNames<Tallies> {
  return new TopNames({
    limit,
    make: (name) =>
      talliesOf((outcome) => counter.series({ [label]: name, outcome } as Record<Label | 'outcome', string>)),
    drop: (tallies) => {
      for (const outcome of outcomes) counter.remove(tallies[outcome])
    },
  })
}

function talliesOf(make: (outcome: Result) => Tally): Tallies {
  return {
    delivered: make('delivered'),
    deferred: make('deferred'),
    bounced: make('bounced'),
  }
}

/** Which of `tries` the nth belongs to. */
function tryIndex(nth: number): number {
  if (nth <= 3) return nth - 1
  return nth <= 6 ? 3 : nth <= 10 ? 4 : 5
}
