/** Fetches a domain's MTA-STS policy file over HTTPS (RFC 8461 §3.3): only from public addresses, and never elsewhere. */

import { type RequestOptions, request } from 'node:https'
import { isIPv6 } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { isPrivate } from './private-address.ts'
import type { Resolver } from './resolver.ts'
import type { TlsContexts } from './tls-contexts.ts'
import type { TlsResult } from './tls-policy.ts'

/** `result` is how RFC 8460 names the failure. */
export class PolicyFetchError extends Error {
  override name = 'PolicyFetchError'
  readonly result: TlsResult

  constructor(message: string, result: TlsResult = 'sts-policy-fetch-error') {
    super(message)
    this.result = result
  }
}

export type FetchOptions = {
  resolver: Resolver
  port: number
  allowPrivate: boolean
  contexts: TlsContexts
}

const fetchMs = 20_000
const sizeMax = 64 * 1024
const addressesMax = 3

/** The text of the policy file. Rejects with PolicyFetchError; all in all within 20 s. */
export async function fetchPolicy(domain: string, options: FetchOptions): Promise<string> {
  const host = `mta-sts.${domain}`
  const deadline = AbortSignal.timeout(fetchMs)
  let failure = new PolicyFetchError(`${host} has no address`)
  for (const address of await addressesOf(host, options)) {
    try {
      return await get(host, address, deadline, options)
    } catch (error) {
      if (error instanceof PolicyFetchError) failure = error
      else failure = new PolicyFetchError((error as Error).message)
      if (deadline.aborted) break
    }
  }
  throw failure
}

async function addressesOf(host: string, { resolver, allowPrivate }: FetchOptions): Promise<string[]> {
  const lookups = await Promise.all(
    (['A', 'AAAA'] as const).map((type) => resolver.lookUp(host, type).catch(() => undefined)),
  )
  const addresses = lookups.flatMap((lookup) => lookup?.records ?? [])
  return addresses.filter((address) => allowPrivate || !isPrivate(address)).slice(0, addressesMax)
}

function get(host: string, address: string, signal: AbortSignal, options: FetchOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (text: string, result?: TlsResult) => {
      reject(new PolicyFetchError(`${host}: ${text}`, result))
      sent.destroy()
    }
    const settings: RequestOptions & ConnectionOptions = {
      host: address,
      family: isIPv6(address) ? 6 : 4,
      port: options.port,
      servername: host,
      path: '/.well-known/mta-sts.txt',
      headers: { host, accept: 'text/plain', 'user-agent': 'Postel' },
      secureContext: options.contexts.strict,
      agent: false,
      signal,
    }
    const sent = request(settings)
    sent.on('error', (error: NodeJS.ErrnoException) => {
      fail(error.message, isCertificateFault(error) ? 'sts-webpki-invalid' : undefined)
    })
    sent.on('response', (response) => {
      // Redirects must not be followed (RFC 8461 §3.3)
      if (response.statusCode !== 200) return fail(`answered ${response.statusCode}`)
      const type = response.headers['content-type'] ?? ''
      if (!/^text\/plain\s*(;|$)/i.test(type)) return fail(`is not text/plain but ${type.slice(0, 60)}`)
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > sizeMax) return fail('the policy is too long')
        chunks.push(chunk)
      })
      response.on('error', (error) => fail(error.message))
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    })
    sent.end()
  })
}

function isCertificateFault({ code = '' }: NodeJS.ErrnoException): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/.test(code)
}
