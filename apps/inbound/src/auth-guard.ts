/**
 * Slows down whoever tries passwords, and locks it out for a while: by user name and address, and by network. Others
 * are not touched: neither the same user from elsewhere, nor an address that has shown a right password lately.
 */
import { isIPv6 } from 'node:net'
import { plainAddress } from '@postel/runtime/networks'

const delayMsFirst = 100
const delayMsMax = 5_000
const pairFailuresMax = 10
const networkFailuresMax = 100
/** Failures are forgotten after this, and a lock lasts as long. */
const windowMs = 60_000
const trustMs = 3_600_000
/** Of each list; the oldest go first. */
const entriesMax = 20_000

type Failures = { count: number; until: number }

export class AuthGuard {
  readonly #now: () => number
  readonly #pairs = new Map<string, Failures>()
  readonly #networks = new Map<string, Failures>()
  /** Addresses that have shown a right password, and until when that counts. */
  readonly #known = new Map<string, number>()

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Whether this password is not even looked at. */
  locked(user: string, address: string): boolean {
    const now = this.#now()
    if (count(this.#pairs, pairOf(user, address), now) >= pairFailuresMax) return true
    const network = networkOf(address)
    return count(this.#networks, network, now) >= networkFailuresMax && !this.#isKnown(address, now)
  }

  /** Notes a wrong password; gives the milliseconds to wait before saying so. */
  failed(user: string, address: string): number {
    const now = this.#now()
    const failures = add(this.#pairs, pairOf(user, address), now)
    add(this.#networks, networkOf(address), now)
    return Math.min(delayMsFirst * 2 ** (failures - 1), delayMsMax)
  }

  succeeded(user: string, address: string): void {
    this.#pairs.delete(pairOf(user, address))
    put(this.#known, address, this.#now() + trustMs)
  }

  #isKnown(address: string, now: number): boolean {
    return (this.#known.get(address) ?? 0) > now
  }
}

function count(list: ReadonlyMap<string, Failures>, key: string, now: number): number {
  const failures = list.get(key)
  return failures && failures.until > now ? failures.count : 0
}

function add(list: Map<string, Failures>, key: string, now: number): number {
  const failures = { count: count(list, key, now) + 1, until: now + windowMs }
  put(list, key, failures)
  return failures.count
}

function put<Value>(list: Map<string, Value>, key: string, value: Value): void {
  list.delete(key)
  list.set(key, value)
  if (list.size > entriesMax) list.delete(list.keys().next().value!)
}

/** User names are cut, so that long ones cost no memory. */
function pairOf(user: string, address: string): string {
  return `${isIPv6(plainAddress(address)) ? networkOf(address) : address} ${user.slice(0, 100).toLowerCase()}`
}

/** What one attacker easily has all of: a /24 of IPv4, a /64 of IPv6. */
function networkOf(address: string): string {
  const plain = plainAddress(address)
  if (!isIPv6(plain)) return plain.split('.').slice(0, 3).join('.')
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(8 - groups.length - after.length, 0)).fill('0')
  return [...groups, ...zeros, ...after].slice(0, 4).join(':')
}
