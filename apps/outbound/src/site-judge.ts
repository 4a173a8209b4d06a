/** What a message's result says of the site that it went to. */
import type { Outcome, RecipientOutcome } from '@postel/db/queries/outbound'
import type { Destination } from './plan.ts'
import type { Throttle } from './throttle.ts'

export class SiteJudge {
  readonly #throttle: Throttle
  /** Some of the recipient domains seen here. */
  readonly #domains = new Set<string>()
  /** Those that refused our mail since the last delivery. */
  readonly #refusedBy = new Set<string>()

  constructor(throttle: Throttle) {
    this.#throttle = throttle
  }

  saw(domain: string): void {
    if (this.#domains.size < 2) this.#domains.add(domain)
  }

  /**
   * A delivery, a request to slow down, or one refusal however many recipients. Where several domains share the site, one
   * domain's own policy is not the site's: it counts once between deliveries. A server that an operator named refuses
   * messages, not us.
   */
  judge(
    { recipients, retryAfter }: Pick<Outcome, 'recipients' | 'retryAfter'>,
    { endpoint }: Pick<Destination, 'endpoint'>,
    domain: string,
  ): void {
    const now = performance.now()
    const delivered = recipients.find(({ outcome }) => outcome === 'delivered')
    const slowDown = recipients.find(isAboutRate)
    if (delivered) {
      this.#throttle.delivered(now)
      this.#refusedBy.clear()
    }
    if (slowDown)
      this.#throttle.slowDown(slowDown.reply, retryAfter === null ? undefined : retryAfter * 1_000, now)
    if (delivered || slowDown || endpoint !== undefined) return
    const reputation = recipients.find(({ category }) => category === 'reputation')
    const refusal =
      reputation ?? recipients.find(({ category }) => category === 'policy' || category === 'spam')
    if (!refusal) return
    if (!reputation && this.#domains.size > 1 && this.#refusedBy.has(domain)) return
    this.#refusedBy.add(domain)
    this.#throttle.refused(reputation ? 2 : 1, refusal.reply, now)
  }
}

/** A request to send less to the site; not one about a single mailbox or the recipients of a transaction. */
function isAboutRate({ category, enhancedCode }: RecipientOutcome): boolean {
  return category === 'rate' && !/^[45]\.(1\.|2\.|5\.3$)/.test(enhancedCode ?? '')
}
