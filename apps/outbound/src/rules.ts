/** Which destination rule a domain's mail goes by: the one for the domain, else the one for its mail exchangers, else `default`. */
import type { DestinationRuleRow } from '@postel/db/queries/policies'
import type { Limits } from './throttle.ts'

export type DestinationRule = {
  name: string
  limits: Limits
  tls: 'opportunistic' | 'enforced'
  smarthost: Smarthost | { problem: string } | undefined
}

export type Smarthost = {
  host: string
  port: number
  implicitTls: boolean
  auth: { user: string; pass: string } | undefined
}

/** Reads smtp://[user:password@]host[:port] or smtps://…; throws what is wrong with it. */
export function parseSmarthost(text: string): Smarthost {
  const url = new URL(text)
  const implicitTls = url.protocol === 'smtps:'
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port ? Number(url.port) : implicitTls ? 465 : 25,
    implicitTls,
    auth: url.username
      ? { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
      : undefined,
  }
}

/** Where neither the rule, nor the shipped one of its name, nor `default` says something. */
const lastResort = { messagesPerConnection: 1_000, recipientsPerTransaction: 100 }

export class DestinationRules {
  readonly #exact = new Map<string, DestinationRule>()
  readonly #wildcard = new Map<string, DestinationRule>()
  readonly #mx = new Map<string, DestinationRule>()
  readonly fallback: DestinationRule

  /**
   * `connectionsMax` is for rules that have none. `openSmarthost` gives a smarthost's password in plain text, or throws. A
   * smarthost that cannot be read is told to `onBad`: its mail waits.
   */
  constructor(
    rows: readonly DestinationRuleRow[],
    connectionsMax: number,
    openSmarthost: (smarthost: string) => string,
    onBad: (name: string, problem: string) => void = () => {},
  ) {
    const byName = new Map<string, { shipped?: DestinationRuleRow; operator?: DestinationRuleRow }>()
    for (const row of rows) byName.set(row.name, { ...byName.get(row.name), [row.origin]: row })
    const layersOf = (name: string) => {
      const { operator, shipped } = byName.get(name) ?? {}
      return [operator, shipped].filter((row) => row !== undefined)
    }
    const defaults = layersOf('default')
    const ruleOf = (name: string): DestinationRule => {
      const own = layersOf(name)
      const layers = [...own, ...defaults]
      const first = <K extends keyof DestinationRuleRow>(key: K) =>
        layers.find((row) => row[key] !== null)?.[key] ?? undefined
      const smarthost = own.find((row) => row.smarthost !== null)?.smarthost ?? undefined
      return {
        name,
        limits: {
          connectionsMax: first('connectionsMax') ?? connectionsMax,
          messagesPerConnection: first('messagesPerConnection') ?? lastResort.messagesPerConnection,
          messagesPerMinute: first('messagesPerMinute') ?? undefined,
          recipientsPerTransaction: first('recipientsPerTransaction') ?? lastResort.recipientsPerTransaction,
        },
        tls: first('tls') === 'enforced' ? 'enforced' : 'opportunistic',
        smarthost: smarthost === undefined ? undefined : readSmarthost(name, smarthost),
      }
    }
    const readSmarthost = (name: string, text: string) => {
      try {
        return parseSmarthost(openSmarthost(text))
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error)
        onBad(name, `its smarthost cannot be used: ${problem}`)
        return { problem }
      }
    }
    this.fallback = ruleOf('default')
    for (const name of byName.keys()) {
      if (name === 'default') continue
      const rule = ruleOf(name)
      for (const row of layersOf(name).reverse()) {
        for (const domain of row.domains)
          if (domain.startsWith('*.')) this.#wildcard.set(domain.slice(2).toLowerCase(), rule)
          else this.#exact.set(domain.toLowerCase(), rule)
        for (const host of row.mx) this.#mx.set(host.toLowerCase(), rule)
      }
    }
  }

  /** The rule that names the domain, if one does. */
  ofDomain(domain: string): DestinationRule | undefined {
    return this.#exact.get(domain) ?? below(this.#wildcard, domain)
  }

  /** The rule that names all of these hosts, if one does: one provider's host among others makes a domain not his. */
  ofHosts(hosts: readonly string[]): DestinationRule | undefined {
    const rules = hosts.map((host) => this.#mx.get(host) ?? below(this.#mx, host))
    return rules.every((rule) => rule === rules[0]) ? rules[0] : undefined
  }
}

/** The entry of the nearest parent domain. */
function below<T>(entries: ReadonlyMap<string, T>, name: string): T | undefined {
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const entry = entries.get(name.slice(dot + 1))
    if (entry !== undefined) return entry
  }
  return undefined
}
