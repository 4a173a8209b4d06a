/**
 * What is added to a message once it is ready to be stored, where its project or its sender's domain asks for it:
 * List-Unsubscribe → links that count clicks → an image that counts openings. All other mail passes untouched.
 */
import { randomBytes } from 'node:crypto'
import { changeHtml, pixelForm } from './tracking-html.ts'
import { changeHtmlParts } from './tracking-mime.ts'
import { type LinkToken, LinkTokens, refBytes, type TokenKind } from './tracking-token.ts'
import { unsubscribeUrls, withoutUnsubscribe, withUnsubscribe } from './unsubscribe.ts'

const paths: Readonly<Record<TokenKind, RegExp>> = {
  unsubscribe: /\/unsubscribe\/([\w-]+)$/,
  click: /\/c\/([\w-]+)$/,
  open: /\/o\/([\w-]+)\.gif$/,
}

/** What is on for a project and a sender domain. */
export type MailFeatures = {
  /** Mail to one recipient gets List-Unsubscribe. */
  unsubscribe: boolean
  openTracking: boolean
  clickTracking: boolean
  /** The verified host name of tracked links; null: no tracking. */
  trackingHost: string | null
}

export type MailLinksOptions = {
  /** POSTEL_SECRETs: the first signs, all are believed. */
  secrets: readonly string[]
  /** Of the API, without a slash at the end. Tracked links have its scheme and port. */
  publicUrl: string
  /** Undefined where nothing is on. A promise only where it must be looked up. */
  featuresOf: (
    projectId: string,
    domain: string,
  ) => MailFeatures | undefined | Promise<MailFeatures | undefined>
}

export type LinkedMail = {
  projectId: string
  signingDomain: string | null
  recipients: readonly { address: string }[]
  /** As normaliseMessage() made it. */
  raw: Buffer
}

export class MailLinks {
  readonly tokens: LinkTokens
  readonly #options: MailLinksOptions

  constructor(options: MailLinksOptions) {
    this.#options = options
    this.tokens = new LinkTokens(options.secrets)
  }

  /**
   * The message as it is to be stored, and the name that its links call it by, for `details.link_ref`; undefined where
   * nothing is added to it. Rejects when it cannot be known what is on.
   */
  async add(mail: LinkedMail): Promise<{ raw: Buffer; ref: string } | undefined> {
    if (mail.signingDomain === null) return undefined
    const found = this.#options.featuresOf(mail.projectId, mail.signingDomain)
    const features = found instanceof Promise ? await found : found
    return features && this.#added(mail, features)
  }

  /**
   * A message as it was before add(), whoever the links were for: to be shown without counting, or sent again. The
   * same document, though not octet for octet.
   */
  without(raw: Buffer): Buffer {
    const isOurs = (kind: TokenKind, url: string) => this.#read(kind, url) !== undefined
    const plain = withoutUnsubscribe(raw, (url) => isOurs('unsubscribe', url))
    return (
      changeHtmlParts(plain, (html, decode) =>
        changeHtml(html, decode, {
          link: (url) => {
            const token = this.#read('click', url)
            return token && inAttribute(token.text)
          },
          pixel: undefined,
        }).replace(pixelForm, (image, url: string) => (isOurs('open', url) ? '' : image)),
      ) ?? plain
    )
  }

  /** What a URL of ours stands for, under whatever host it was made. */
  #read(kind: TokenKind, url: string): LinkToken | undefined {
    const token = paths[kind].exec(url)?.[1]
    return token === undefined ? undefined : this.tokens.read(kind, token)
  }

  #added(
    { projectId, recipients, raw }: LinkedMail,
    features: MailFeatures,
  ): { raw: Buffer; ref: string } | undefined {
    const { publicUrl } = this.#options
    const ref = randomBytes(refBytes).toString('base64url')
    const only = recipients.length === 1 ? recipients[0] : undefined
    const about = { projectId, ref, at: new Date(), number: only ? 1 : null }
    const token = (kind: TokenKind, text: string) => this.tokens.sign(kind, { ...about, text })

    let changed: Buffer | undefined
    if (features.unsubscribe && only)
      changed = withUnsubscribe(raw, `${publicUrl}/unsubscribe/${token('unsubscribe', only.address)}`)
    if (features.trackingHost !== null) {
      const base = trackingUrl(publicUrl, features.trackingHost)
      const untouched = new Set(unsubscribeUrls(raw))
      const link = (url: string) =>
        untouched.has(url) || url.startsWith(`${publicUrl}/unsubscribe/`)
          ? undefined
          : `${base}/c/${token('click', url)}`
      const pixel = `${base}/o/${token('open', '')}.gif`
      changed =
        changeHtmlParts(changed ?? raw, (html, decode) =>
          changeHtml(html, decode, {
            link: features.clickTracking ? link : undefined,
            pixel: features.openTracking ? pixel : undefined,
          }),
        ) ?? changed
    }
    return changed && { raw: changed, ref }
  }
}

/** `https://links.example.com`, with the scheme and port of the API. */
function trackingUrl(publicUrl: string, host: string): string {
  const { protocol, port } = new URL(publicUrl)
  return `${protocol}//${host}${port && `:${port}`}`
}

/** Octets as latin1, for any kind of quotes or none. */
function inAttribute(url: string): string {
  const octets = Buffer.from(url).toString('latin1')
  return octets.replace(/[&<>"'` ]/g, (character) =>
    character === '&' ? '&amp;' : `&#${character.charCodeAt(0)};`,
  )
}
