/** The parameters of RFC 3461 on MAIL and RCPT, as they are written on the command line. */

/** Longest values (RFC 3461 §4), the keyword not counted. */
const maxCharacters = { RET: 4, ENVID: 100, NOTIFY: 28, ORCPT: 500 }
const xtext = /^(?:[!-*,-<>-~]|\+[0-9A-F]{2})+$/
const forms: Record<
  keyof typeof maxCharacters,
  { isValid(value: string, utf8: boolean): boolean; expected: string }
> = {
  RET: {
    isValid: (value) => /^(?:FULL|HDRS)$/i.test(value),
    expected: 'RET is FULL or HDRS',
  },
  ENVID: {
    isValid: (value) => xtext.test(value) && isPrintable(value),
    expected: 'ENVID is 1 to 100 printable ASCII characters, with + as +2B and = as +3D',
  },
  NOTIFY: {
    isValid: (value) => /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)$/i.test(value),
    expected: 'NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY',
  },
  ORCPT: {
    isValid: isOriginalRecipient,
    expected:
      'ORCPT is an address type and an address, with + as +2B and = as +3D: ORCPT=rfc822;user@example.com',
  },
}

/**
 * What is wrong with the parameters RET, ENVID, NOTIFY and ORCPT of a MAIL or RCPT line, as a sentence that says what is
 * right; undefined when nothing is. `utf8`: SMTPUTF8 was said, so ORCPT may hold UTF-8 (RFC 6533 §3).
 */
export function dsnProblem(line: string, utf8: boolean): string | undefined {
  const given = new Set<string>()
  const parameters = line.slice(line.indexOf('>') + 1).split(/\s+/)
  for (const parameter of parameters) {
    const split = parameter.indexOf('=')
    const name = (split < 0 ? parameter : parameter.slice(0, split)).toUpperCase()
    if (!isDsn(name)) continue
    if (given.has(name)) return `${name} is given twice: give it once`
    given.add(name)
    const value = split < 0 ? '' : parameter.slice(split + 1)
    const { isValid, expected } = forms[name]
    if (value.length > maxCharacters[name] || !isValid(value, utf8)) return expected
  }
  return undefined
}

function isDsn(name: string): name is keyof typeof forms {
  return Object.hasOwn(forms, name)
}

/** `type;address`; of the types only utf-8 has a form of its own. */
function isOriginalRecipient(value: string, utf8: boolean): boolean {
  const [, type, address] = /^([A-Za-z0-9-]{1,40});(.+)$/.exec(value) ?? []
  if (type === undefined || address === undefined) return false
  if (type.toLowerCase() !== 'utf-8') return xtext.test(address) && isPrintable(address)
  const plain = utf8 ? address.replace(/[^\p{ASCII}]/gu, 'x') : address
  return xtext.test(plain) && isPrintable(plain)
}

/** Once decoded: what a report could not repeat is not taken. */
function isPrintable(encoded: string): boolean {
  return [...encoded.matchAll(/\+([0-9A-F]{2})/g)].every(([, hex]) => /^(?:[2-6].|7[0-9A-E])$/.test(hex!))
}
