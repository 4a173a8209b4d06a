/** One look at all records of a domain, and what follows from it. */
import {
  type DomainFacts,
  type DomainLookups,
  type Finding,
  findRecord,
  unanswered,
  type WantedRecord,
  wantedRecords,
} from './domain-records.ts'

export type RecordStatus = 'not_started' | 'pending' | 'verified' | 'failed' | 'temporary_failure'

export type CheckedRecord = WantedRecord & { ttl: 'Auto'; status: RecordStatus; status_reason: string | null }

export type DomainCheck = {
  /** Whether DNS proves who owns the domain and shows an RSA key that signs for it. unknown: it did not answer. */
  proof: 'proved' | 'missing' | 'unknown'
  /** What is missing for it, in a sentence. */
  reason: string | null
  records: CheckedRecord[]
  /** Selectors of keys that DNS shows, and of those that it certainly does not. */
  shown: string[]
  absent: string[]
  /** Whether what needs them may be used; null: DNS did not answer. */
  returnPath: boolean | null
  receiving: boolean | null
  tracking: boolean | null
}

/** For what all look-ups of one record may take together. */
const lookMs = 15_000

/** Asks DNS for all records of the domain. `wasVerified`: what is missing was once there. */
export async function checkDomain(
  facts: DomainFacts,
  wasVerified: boolean,
  lookups: DomainLookups,
): Promise<DomainCheck> {
  const wanted = wantedRecords(facts)
  const once = askedOnce(lookups)
  const findings = await Promise.all(
    wanted.map((record) => inTime(findRecord(record, facts, once), record.fqdn)),
  )
  const all = wanted.map((record, index) => ({ record, finding: findings[index]! }))
  const dkim = all.filter(({ record }) => record.record === 'DKIM')
  const keyOf = (selector: string | undefined) => facts.keys.find((key) => key.selector === selector)!

  const rsa = sum(
    dkim
      .filter(({ record }) => keyOf(record.selector).algorithm === 'rsa-sha256')
      .map(({ finding }) => finding),
    'any',
  )
  const owned = sum(
    all
      .filter(
        ({ record }) =>
          record.record === 'Ownership' ||
          (record.record === 'DKIM' && !facts.superseded && !keyOf(record.selector).imported),
      )
      .map(({ finding }) => finding),
    'any',
  )
  const proof =
    rsa === true && owned === true ? 'proved' : rsa === false || owned === false ? 'missing' : 'unknown'
  const lacking = all.find(
    ({ record, finding }) =>
      finding.result !== 'found' &&
      ((rsa !== true && record.record === 'DKIM' && record.required) ||
        (owned !== true && record.record === 'Ownership')),
  )
  const of = (kind: WantedRecord['record']) =>
    sum(
      all.filter(({ record }) => record.record === kind).map(({ finding }) => finding),
      'all',
    )
  return {
    proof,
    reason: proof === 'proved' ? null : (lacking?.finding.reason ?? null),
    records: all.map(({ record, finding }) => ({
      ...record,
      ttl: 'Auto',
      status: statusOf(finding, record.required && wasVerified),
      status_reason: finding.reason,
    })),
    shown: dkim.flatMap(({ record, finding }) => (finding.result === 'found' ? record.selector! : [])),
    absent: dkim.flatMap(({ record, finding }) =>
      finding.result === 'missing' || finding.result === 'wrong' ? record.selector! : [],
    ),
    returnPath: of('SPF'),
    receiving: of('Receiving'),
    tracking: of('Tracking'),
  }
}

/** Records ask for the same names again and again, SPF for each address. */
function askedOnce(lookups: DomainLookups): DomainLookups {
  const remember = <Answer>(ask: (name: string) => Promise<Answer>) => {
    const answers = new Map<string, Promise<Answer>>()
    return (name: string) => {
      const known = answers.get(name)
      if (known) return known
      const answer = ask(name)
      answers.set(name, answer)
      return answer
    }
  }
  return {
    txt: remember((name) => lookups.txt(name)),
    mx: remember((name) => lookups.mx(name)),
    cname: remember((name) => lookups.cname(name)),
    addresses: remember((name) => lookups.addresses(name)),
  }
}

/** Name servers that take their time for each of many answers hold nobody up. */
async function inTime(finding: Promise<Finding>, fqdn: string): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => resolve(unanswered(fqdn)), lookMs)
  })
  try {
    return await Promise.race([finding, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The records as they are before anybody has looked, with what the last look found where it still fits. */
export function withLastCheck(facts: DomainFacts, last: readonly CheckedRecord[]): CheckedRecord[] {
  return wantedRecords(facts).map((record) => {
    const same = last.find(
      ({ fqdn, type, record: kind, value }) =>
        fqdn === record.fqdn && type === record.type && kind === record.record && value === record.value,
    )
    return {
      ...record,
      ttl: 'Auto',
      status: same?.status ?? 'not_started',
      status_reason: same?.status_reason ?? null,
    }
  })
}

function statusOf({ result }: Finding, wasThere: boolean): RecordStatus {
  switch (result) {
    case 'found':
      return 'verified'
    case 'missing':
      return wasThere ? 'failed' : 'pending'
    case 'wrong':
      return 'failed'
    case 'unknown':
      return 'temporary_failure'
    default: {
      const unreachable: never = result
      throw new Error(`unreachable: ${unreachable}`)
    }
  }
}

/** Whether any, or all, were found; null when those that DNS did not answer for decide it. False of none. */
function sum(findings: readonly Finding[], how: 'any' | 'all'): boolean | null {
  const is = (result: Finding['result']) => (finding: Finding) => finding.result === result
  if (how === 'any') return findings.some(is('found')) ? true : findings.some(is('unknown')) ? null : false
  if (findings.length === 0 || findings.some(is('missing')) || findings.some(is('wrong'))) return false
  return findings.some(is('unknown')) ? null : true
}
