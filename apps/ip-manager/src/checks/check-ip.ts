/**
 * What receivers of mail look up of a source IP: whether its address has a name (PTR), whether that name leads back to the address
 * (forward-confirmed reverse DNS), and whether the name in EHLO is the same.
 */
import type { IpCheck } from '@postel/db/queries/ip-checks'
import type { DnsRecords } from '@postel/runtime/dns-records'
import { canonicalAddress } from '../providers/addresses.ts'

/** An address with more names than that is looked up no further. */
const namesMax = 10

export type Dns = Pick<DnsRecords, 'ptr' | 'addresses'>

/** Rejects when DNS could not tell. */
export async function checkIp(ip: { address: string; ehloName: string | null }, dns: Dns): Promise<IpCheck> {
  const ptrNames = (await dns.ptr(ip.address)).map(plain).slice(0, namesMax)
  const forward = await leadsBack(ip.address, ptrNames, dns)
  const ehlo = await ehloAgrees(ip, ptrNames, dns)
  return {
    ptrNames,
    ptrOk: ptrNames.length > 0,
    forwardOk: forward.ok,
    ehloOk: ehlo.ok,
    problem: [noName(ip, ptrNames), forward.problem, ehlo.problem].filter(Boolean).join(' ') || null,
  }
}

type Answer = { ok: boolean | null; problem?: string }

function noName(
  ip: { address: string; ehloName: string | null },
  names: readonly string[],
): string | undefined {
  if (names.length > 0) return undefined
  const name = ip.ehloName ?? 'the name that it says in EHLO'
  return `${ip.address} has no reverse name, and many receivers refuse mail from it: set its PTR record to ${name} where the address comes from.`
}

/** One name that does suffices. */
async function leadsBack(
  address: string,
  names: readonly string[],
  dns: Dns,
): Promise<{ ok: boolean; problem?: string }> {
  const found = await Promise.allSettled(names.map((name) => dns.addresses(name)))
  const answers = found.map((each) => (each.status === 'fulfilled' ? each.value.map(canonicalAddress) : []))
  if (answers.some((addresses) => addresses.includes(address))) return { ok: true }
  const fault = found.find((each) => each.status === 'rejected')
  if (fault) throw fault.reason
  if (names.length === 0) return { ok: false }
  const type = address.includes(':') ? 'AAAA' : 'A'
  const elsewhere = answers[0]!.length > 0 ? `it leads to ${answers[0]!.join(', ')}` : 'it leads nowhere'
  return {
    ok: false,
    problem: `The reverse name ${names[0]} of ${address} does not lead back to it (${elsewhere}): add to ${names[0]} the ${type} record ${address}.`,
  }
}

async function ehloAgrees(
  { address, ehloName }: { address: string; ehloName: string | null },
  names: readonly string[],
  dns: Dns,
): Promise<Answer> {
  if (ehloName === null)
    return {
      ok: null,
      problem: `What ${address} says in EHLO is not known here: give it an EHLO name, or set POSTEL_HOSTNAME for the IP manager as for outbound.`,
    }
  const said = plain(ehloName)
  if (names.includes(said)) return { ok: true }
  if (names.length > 0)
    return {
      ok: false,
      problem: `In EHLO ${address} says ${said}, but its reverse name is ${names.join(', ')}: make its EHLO name ${names[0]}, or its PTR record ${said}.`,
    }
  const addresses = (await dns.addresses(said)).map(canonicalAddress)
  if (addresses.includes(address)) return { ok: true }
  const type = address.includes(':') ? 'AAAA' : 'A'
  return {
    ok: false,
    problem: `In EHLO ${address} says ${said}, which does not lead to it: add to ${said} the ${type} record ${address}.`,
  }
}

function plain(name: string): string {
  return name.replace(/\.$/, '').toLowerCase()
}
