/**
 * Loaded into a process before anything else: mistakes in our own code, for messages that have a word of theirs in them.
 * THROW: the function throws; KILL: the process dies as by the kernel's hand.
 */
import { registerHooks } from 'node:module'

const trap = (name: string, text: string) => `
import * as real from 'FILE?real'
export * from 'FILE?real'
export function ${name}(...args) {
  const text = ${text}
  if (text.includes('KILL-${name}')) process.kill(process.pid, 'SIGKILL')
  if (text.includes('THROW-${name}')) throw new Error('a mistake in ${name}')
  return real.${name}(...args)
}`

/** Which function of which file, and where the word is looked for. */
const traps: Record<string, string> = {
  'mail/src/seven-bit.ts': trap('toSevenBit', `args[0].toString('latin1')`),
  'mail/src/dkim.ts': trap('signDkim', `args[0].toString('latin1')`),
  'mail/src/normalise.ts': trap('normaliseMessage', `args[0].toString('latin1')`),
  'mail/src/address.ts': trap('parseMailbox', 'args[0]'),
}

registerHooks({
  load(url, context, nextLoad) {
    const file = Object.keys(traps).find((end) => url.endsWith(end))
    if (!file) return nextLoad(url, context)
    return { format: 'module', source: traps[file]!.replaceAll('FILE', url), shortCircuit: true }
  },
})
