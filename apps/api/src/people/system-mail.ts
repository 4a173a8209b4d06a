/** Mail of Postel itself (links to confirm, to reset, to join; warnings), sent through Postel like any other mail. */
import type { Sql } from '@postel/db/client'
import type { Credentials, Principal } from '@postel/db/queries/credentials'
import { systemProject } from '@postel/db/queries/people'
import type { Submitter } from '@postel/db/submitter'
import { isProblem, parseAddressList } from '@postel/mail/address'
import { prepareSubmission, type SubmissionLimits } from '../emails/prepare-submission.ts'
import { Problem } from '../problem.ts'

export type SystemMailOptions = {
  sql: Sql
  credentials: Credentials
  submitter: Submitter
  limits: SubmissionLimits
  /** `Name <local@domain>`; undefined: nothing is sent. */
  from: string | undefined
  /** The id of the project it leaves through; undefined: the oldest that may use the domain. */
  project: string | undefined
}

export type SystemMailText = {
  to: string
  subject: string
  /** Plain text; HTML is made of it. */
  paragraphs: readonly string[]
  /** What the mail is about, on a line of its own. */
  link?: { label: string; url: string }
  /** After that many seconds it is worth nothing. */
  expiresInSeconds: number
}

export class SystemMail {
  readonly #options: SystemMailOptions

  constructor(options: SystemMailOptions) {
    this.#options = options
  }

  /** Whom it is sent as. Throws a Problem that says what to set where it cannot be sent. */
  async sender(): Promise<Principal & { from: string }> {
    const { sql, credentials, from, project } = this.#options
    if (from === undefined)
      throw notSetUp(
        'set SYSTEM_MAIL_FROM to an address whose domain is verified, like `Postel <postel@example.com>`',
      )
    const list = parseAddressList(from)
    const domain = isProblem(list) ? undefined : list.mailboxes[0]?.domain
    const place = domain === undefined ? undefined : await systemProject(sql, domain, project)
    const sender = place && (await credentials.ofProject(place.organizationId, place.projectId))
    if (!sender)
      throw notSetUp(
        `no project${project === undefined ? '' : ` ${project}`} may send from ${from}: verify the domain, or change SYSTEM_MAIL_FROM or SYSTEM_MAIL_PROJECT`,
      )
    return { ...sender, from }
  }

  /** Resolves when the mail is stored; rejects with a Problem or SubmitError. */
  async send({ to, subject, paragraphs, link, expiresInSeconds }: SystemMailText): Promise<void> {
    const { submitter, limits } = this.#options
    const sender = await this.sender()
    const submission = await prepareSubmission(
      {
        from: sender.from,
        to: [to],
        subject,
        text: asText(paragraphs, link),
        html: asHtml(paragraphs, link),
        headers: { 'Auto-Submitted': 'auto-generated' },
        priority: 'high',
        expires_in: expiresInSeconds,
      },
      sender,
      // A link that only the recipient may know is not to be led over a page that notes it
      { ...limits, links: null },
    )
    await submitter.submit({ ...submission, source: 'system' })
  }
}

function notSetUp(what: string): Problem {
  return new Problem('service_unavailable', `This server cannot send mail of its own yet: ${what}.`)
}

type Link = SystemMailText['link']

function asText(paragraphs: readonly string[], link: Link): string {
  return [...paragraphs, ...(link ? [`${link.label}:\n${link.url}`] : [])].join('\n\n').concat('\n')
}

function asHtml(paragraphs: readonly string[], link: Link): string {
  const parts = paragraphs.map((text) => `<p>${escaped(text)}</p>`)
  if (link) parts.push(`<p><a href="${escaped(link.url)}">${escaped(link.label)}</a></p>`)
  return `<!doctype html>\n<html><body>\n${parts.join('\n')}\n</body></html>\n`
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Safe as text and as an attribute's value. */
export function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character]!)
}
