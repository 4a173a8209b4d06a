/**
 * HTTP requests to URLs that tenants have chosen: none reaches anything but the public Internet, and none takes longer or
 * gives more than was agreed. Read the URL → resolve its host once → refuse it unless every address is public → connect to
 * one of just these → look at whom the socket reached → send → read the answer up to the limit. Redirects are answers,
 * proxies of the environment are not used.
 */
import { lookup as systemLookup } from 'node:dns'
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction, type TcpNetConnectOpts } from 'node:net'
import { isPublicAddress } from './public-address.ts'

/** `url` and `private` will not change by trying again. */
export type GuardedFetchFault = 'url' | 'private' | 'dns' | 'connection' | 'tls' | 'timeout'

/** Why there is no answer. `message` may be shown to the tenant: it names no address that a name led to. */
export class GuardedFetchError extends Error {
  override name = 'GuardedFetchError'
  readonly fault: GuardedFetchFault

  constructor(fault: GuardedFetchFault, message: string, options?: ErrorOptions) {
    super(message, options)
    this.fault = fault
  }
}

export type GuardedFetchOptions = {
  method?: string
  headers?: Record<string, string>
  body?: Buffer | string
  /** For development: plain http, any port and any address as well. */
  allowPrivate: boolean
  /** For everything together, from the look-up to the end of the answer. */
  timeoutMs: number
  /** Of the answer's body; the rest is not read. */
  maxBodyBytes: number
  /** Instead of the system's: every address of a host. */
  lookup?: (host: string) => Promise<readonly string[]>
  /** Ends the request early, as a time-out. */
  signal?: AbortSignal
}

export type GuardedReply = {
  status: number
  headers: IncomingHttpHeaders
  /** At most maxBodyBytes of it. */
  body: Buffer
  /** There was more. */
  truncated: boolean
}

const maxUrlCharacters = 2_048
const maxAddresses = 6
const attemptMs = 2_000
/** Names that never lead to a public host: of machines, clusters and private networks (RFC 6761, 6762, 7686, 8375, ICANN's .internal). */
const privateSuffixes = [
  'localhost',
  'local',
  'internal',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'svc',
  'arpa',
  'onion',
]
const tlsFaults = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO|HOSTNAME_MISMATCH)/

/**
 * A URL that may be asked, as it will be asked. Throws GuardedFetchError: https only, without user, password or fragment, on
 * port 443 or 8000 to 9999 (where web servers of the public Internet listen, and not those of mail, shells or databases), its
 * host a public IP address or a name of two labels or more that is not one of a private network. What the name leads to is
 * seen at each request. With `allowPrivate` plain http, any host and any port.
 */
export function readGuardedUrl(text: string, { allowPrivate }: { allowPrivate: boolean }): URL {
  if (text.length > maxUrlCharacters) throw refusal(`must be shorter than ${maxUrlCharacters} characters.`)
  // Whatever URL parsers disagree on: they drop some of it, and take a backslash for a slash
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are among it
  if (/[\u0000-\u0020\u007f\\]/.test(text))
    throw refusal('must not have spaces, control characters or backslashes.')
  if (!/^https?:\/\/[^/?#]/i.test(text))
    throw refusal(allowPrivate ? 'must be an http:// or https:// URL.' : 'must be an https:// URL.')
  if (!URL.canParse(text)) throw refusal('must be a URL.')
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || /^[^/]+\/\/[^/?#]*@/.test(text))
    throw refusal('must not have a user name or a password.')
  if (text.includes('#')) throw refusal('must not have a fragment.')
  if (allowPrivate) return url

  if (url.protocol !== 'https:') throw refusal('must be an https:// URL.')
  const port = Number(url.port || 443)
  if (port !== 443 && (port < 8000 || port > 9999))
    throw refusal('must use port 443, or one from 8000 to 9999.')
  const host = hostOf(url)
  if (isIP(host)) {
    if (!isPublicAddress(host)) throw new GuardedFetchError('private', 'must not be on a private network.')
    return url
  }
  const labels = host.replace(/\.$/, '').split('.')
  if (labels.length < 2 || privateSuffixes.includes(labels.at(-1)!))
    throw new GuardedFetchError('private', 'must not be on a private network.')
  return url
}

/** Sends a request, see the file's head. Throws GuardedFetchError; an answer of whatever status is no error. */
export async function guardedFetch(
  address: string | URL,
  options: GuardedFetchOptions,
): Promise<GuardedReply> {
  const deadline = AbortSignal.timeout(options.timeoutMs)
  const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline
  const url = readUrl(String(address), options)
  const addresses = await abortable(resolve(url, options), signal)
  return send(url, addresses, signal, options)
}

function readUrl(text: string, options: GuardedFetchOptions): URL {
  try {
    return readGuardedUrl(text, options)
  } catch (error) {
    if (!(error instanceof GuardedFetchError)) throw error
    throw new GuardedFetchError(error.fault, `The URL ${error.message}`)
  }
}

async function resolve(
  url: URL,
  { allowPrivate, lookup = lookUp }: GuardedFetchOptions,
): Promise<readonly string[]> {
  const host = hostOf(url)
  if (isIP(host)) return [host]
  const found = await lookup(host).catch((cause: unknown) => {
    throw new GuardedFetchError('dns', 'The host name cannot be resolved.', { cause })
  })
  if (found.length === 0) throw new GuardedFetchError('dns', 'The host name has no address.')
  // One that is not makes the others suspect as well
  if (!allowPrivate && !found.every(isPublicAddress)) throw privateHost()
  return found.slice(0, maxAddresses)
}

function send(
  url: URL,
  addresses: readonly string[],
  signal: AbortSignal,
  { method = 'GET', headers = {}, body, allowPrivate, maxBodyBytes }: GuardedFetchOptions,
): Promise<GuardedReply> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      reject(asFault(error, signal))
      sent.destroy()
    }
    const settings: RequestOptions & Partial<TcpNetConnectOpts> = {
      method,
      headers: {
        ...headers,
        'accept-encoding': 'identity',
        ...(body !== undefined && { 'content-length': String(Buffer.byteLength(body)) }),
      },
      // An agent of its own: it shares no connection and knows no proxy
      agent: false,
      lookup: only(addresses),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: attemptMs,
      signal,
    }
    const sent = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, settings)
    sent.on('error', fail)
    sent.on('socket', (socket) => {
      // Before TLS, so before anything is sent
      socket.on('connect', () => {
        if (!allowPrivate && !isPublicAddress(socket.remoteAddress ?? '')) fail(privateHost())
      })
    })
    sent.on('upgrade', () =>
      fail(new GuardedFetchError('connection', 'The server answered with an upgrade.')),
    )
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      const end = (truncated: boolean) => {
        const read = Buffer.concat(chunks).subarray(0, maxBodyBytes)
        resolve({ status: response.statusCode!, headers: response.headers, body: read, truncated })
        sent.destroy()
      }
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > maxBodyBytes) end(true)
      })
      response.on('error', fail)
      response.on('end', () => end(false))
    })
    sent.end(body)
  })
}

/** A look-up that knows these addresses alone. */
function only(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_host, options, callback) => {
    if (options.all) callback(null, found)
    else callback(null, found[0]!.address, found[0]!.family)
  }
}

function lookUp(host: string): Promise<string[]> {
  return new Promise((resolve, reject) =>
    systemLookup(host, { all: true }, (error, found) => {
      if (error) reject(error)
      else resolve(found.map(({ address }) => address))
    }),
  )
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(asFault(signal.reason, signal))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    // Also when nobody waits for it any more: its failure would end the process
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function asFault(error: unknown, signal: AbortSignal): GuardedFetchError {
  if (error instanceof GuardedFetchError) return error
  if (signal.aborted)
    return new GuardedFetchError('timeout', 'The server did not answer in time.', { cause: error })
  const code = (error as NodeJS.ErrnoException)?.code ?? ''
  if (tlsFaults.test(code))
    return new GuardedFetchError('tls', `The TLS connection failed: ${code}.`, { cause: error })
  return new GuardedFetchError('connection', `The connection failed${code && `: ${code}`}.`, { cause: error })
}

/** Without the brackets of IPv6. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

function refusal(problem: string): GuardedFetchError {
  return new GuardedFetchError('url', problem)
}

function privateHost(): GuardedFetchError {
  return new GuardedFetchError('private', 'The host is on a private network.')
}
