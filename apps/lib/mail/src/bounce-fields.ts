/** Delivery status notifications of others (RFC 3464, RFC 6533), read: which recipients they are about, and what is said of each. */
import { type Fields, readFields } from './mime-leaves.ts'

export type BounceAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded'

export type BouncedRecipient = {
  /** Final and original recipient, those that there are, in lower case. */
  addresses: string[]
  action: BounceAction
  /** RFC 3463, e.g. `5.1.1`. */
  status: string | undefined
  /** What the last server answered, or what the reporter found. One line. */
  reply: string
  /** Who said that, where it was not the reporter. */
  remote: string | undefined
}

const actions: readonly string[] = ['failed', 'delayed', 'delivered', 'relayed', 'expanded']
const maxBlocks = 100
const maxReplyCharacters = 1_000

/** Reads the content of a message/delivery-status part; empty where it names no recipient. */
export function readStatusFields(content: string): {
  reporter: string | undefined
  recipients: BouncedRecipient[]
} {
  let reporter: string | undefined
  const recipients: BouncedRecipient[] = []
  for (const block of content.split(/\n[ \t]*\n+/, maxBlocks)) {
    const { fields } = readFields(block.replace(/^\n+/, ''))
    reporter ??= typed(fields.get('reporting-mta'))
    const recipient = readRecipient(fields)
    if (recipient) recipients.push(recipient)
  }
  return { reporter, recipients }
}

function readRecipient(fields: Fields): BouncedRecipient | undefined {
  const addresses = ['original-recipient', 'final-recipient', 'x-actual-recipient'].flatMap((name) => {
    const address = addressOf(fields.get(name))
    return address === undefined ? [] : [address]
  })
  const status = /\b([245])\.(\d{1,3})\.(\d{1,3})\b/.exec(fields.get('status') ?? '')?.[0]
  const diagnostic = typed(fields.get('diagnostic-code'))
  const said = /^[a-z]+/.exec(fields.get('action')?.toLowerCase() ?? '')?.[0] ?? ''
  if (addresses.length === 0 && said === '' && status === undefined) return undefined
  const action = actions.includes(said) ? (said as BounceAction) : actionOf(status)
  if (action === undefined) return undefined
  return {
    addresses: [...new Set(addresses)],
    action,
    status,
    reply: oneLine(diagnostic ?? ''),
    remote: typed(fields.get('remote-mta')),
  }
}

function actionOf(status: string | undefined): BounceAction | undefined {
  if (status === undefined) return undefined
  return status.startsWith('5') ? 'failed' : status.startsWith('4') ? 'delayed' : 'delivered'
}

/** Without the type before it: `smtp; 550 …`, `dns; mx.example.com`, `rfc822; a@example.com`. */
function typed(value: string | undefined): string | undefined {
  const text = value?.replace(/^[\w-]{1,40}[ \t]*;[ \t]*/, '').trim()
  return text === '' ? undefined : text
}

/** As far as it can be one; `<a@example.com>` without its brackets. */
export function addressOf(value: string | undefined): string | undefined {
  const text = typed(value)
  const address = /<([^<>\s]{3,320})>/.exec(text ?? '')?.[1] ?? text
  return address !== undefined && address.length <= 320 && /^[^\s@]+(?:@[^\s@]+)+$/.test(address)
    ? address.toLowerCase()
    : undefined
}

/** Printable, and bounded. */
export function oneLine(text: string): string {
  return text
    .slice(0, 4 * maxReplyCharacters)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, maxReplyCharacters)
    .toWellFormed()
}
