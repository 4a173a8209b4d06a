/** Everything that finding the way and securing it needs, put together for the service. */
import { readFileSync } from 'node:fs'
import type { TlsQueries } from '@postel/db/queries/tls'
import type { OutboundConfig } from './config.ts'
import type { ConnectOptions } from './connect.ts'
import { StsPolicies } from './mta-sts.ts'
import { Resolver } from './resolver.ts'
import { Router } from './route.ts'
import { TlsContexts } from './tls-contexts.ts'
import { TlsResults } from './tls-results.ts'

export type TransportOptions = {
  config: OutboundConfig
  queries: TlsQueries
  /** Whether a lower-case host name or an IP address is this system itself. */
  isOurs: (hostOrAddress: string) => boolean
  onError: (error: unknown) => void
}

export class Transport {
  readonly router: Router
  /** For connectTo. */
  readonly connecting: Pick<ConnectOptions, 'contexts' | 'onTlsResult'>
  readonly #sts: StsPolicies
  readonly #results: TlsResults

  /** Throws when DELIVERY_CA_FILE cannot be read. */
  constructor({ config, queries, isOurs, onError }: TransportOptions) {
    const contexts = new TlsContexts(
      config.DELIVERY_CA_FILE ? readFileSync(config.DELIVERY_CA_FILE) : undefined,
    )
    const resolver = new Resolver({
      servers: config.DNS_SERVERS,
      dnssec: config.DNS_DNSSEC,
      timeoutMs: config.DNS_TIMEOUT_MS,
    })
    const allowPrivate = config.DELIVERY_ALLOW_PRIVATE
    this.#results = new TlsResults({ add: (counts) => queries.addResults(counts), onError })
    this.#sts = new StsPolicies({
      resolver,
      port: config.MTA_STS_PORT,
      allowPrivate,
      contexts,
      store: {
        load: (since) => queries.policies(since),
        save: (policy) => queries.savePolicy(policy),
      },
      onError,
    })
    this.router = new Router({ resolver, port: config.DELIVERY_PORT, allowPrivate, isOurs, sts: this.#sts })
    this.connecting = { contexts, onTlsResult: (result) => this.#results.count(result) }
  }

  /** Reads the policies known from before. */
  async start(): Promise<void> {
    await this.#sts.start()
    this.#results.start()
  }

  /** Writes down what was counted. */
  async stop(): Promise<void> {
    this.#sts.stop()
    await this.#results.stop()
  }
}
