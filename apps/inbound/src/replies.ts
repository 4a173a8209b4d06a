/** Every SMTP reply that we choose ourselves: code, enhanced code (RFC 3463) and a text that says what to do. */
import { AdmissionError } from '@postel/db/admission'
import { SubmitError } from '@postel/db/submitter'
import type { Refusal } from '@postel/mail/normalise'

/** A refusal as smtp-server wants it: an Error whose message begins with the enhanced code. */
export type Reply = Error & { responseCode: number }

const maxTextCharacters = 400

/** `reply(451, '4.3.0', 'try again')`; control characters become spaces and the line stays under 512 octets. */
export function reply(code: number, enhanced: string, text: string): Reply {
  const line = `${enhanced} ${text}`.replace(/[^\x20-\x7e]+/g, ' ').slice(0, maxTextCharacters)
  return Object.assign(new Error(line), { responseCode: code })
}

export const replies = {
  authRequired: () =>
    reply(530, '5.7.0', 'Authentication required: use AUTH with an API key as the password'),
  authFailed: () =>
    reply(
      535,
      '5.7.8',
      'Authentication failed: the password must be a valid API key (of an organization: with the project as user) or SMTP credential',
    ),
  tooManyAuthFailures: () => reply(421, '4.7.0', 'Too many failed authentications, try again later'),
  tlsRequired: () => reply(538, '5.7.11', 'Encryption required: issue STARTTLS first'),
  tooManyConnections: () => reply(421, '4.7.0', 'Too many connections from your address, try again later'),
  badCommand: () => reply(500, '5.5.2', 'Syntax error: control or non-UTF-8 characters in a command'),
  tooManyBadCommands: () => reply(421, '4.7.0', 'Too many commands without a message'),
  notImplemented: () => reply(502, '5.5.1', 'Command not implemented'),
  cannotVerify: '2.5.2 Cannot verify the address: send a message to find out',
  contentWithoutData: () => reply(421, '4.7.0', 'Message content came although DATA was refused'),
  authInTransaction: () => reply(503, '5.5.1', 'AUTH is not permitted during a mail transaction'),
  badParameter: () => reply(555, '5.5.4', 'A parameter of MAIL or RCPT is not known: EHLO lists what is'),
  badDsn: (problem: string) => reply(501, '5.5.4', problem),
  badSender: (problem: string) => reply(501, '5.1.7', problem),
  badRecipient: (problem: string) => reply(501, '5.1.3', problem),
  needsSmtpUtf8: () => reply(553, '5.6.7', 'The address is not ASCII: say SMTPUTF8 in MAIL FROM'),
  senderNotOwned: (domain: string) =>
    reply(550, '5.7.1', `Sender refused: ${domain} is not a verified domain of this project`),
  fromNotOwned: (domain: string) =>
    reply(550, '5.7.1', `Header From refused: ${domain} is not a verified domain of this project`),
  notItsPool: (pool: string) =>
    reply(550, '5.7.1', `X-Postel-Pool refused: this project sends from pool ${pool} only`),
  badSendAt: () => reply(550, '5.6.0', 'X-Postel-Send-At must be an ISO 8601 time at most 30 days ahead'),
  idempotencyConflict: () => reply(550, '5.6.0', 'This idempotency key was used for another message'),
  badIdempotencyKey: () => reply(550, '5.6.0', 'An idempotency key has 1 to 256 characters'),
  tooBig: (bytes: number) => reply(552, '5.3.4', `Message exceeds the limit of ${bytes} bytes`),
  outOfMemory: () => reply(452, '4.3.1', 'Too much mail is being received at once, try again later'),
  noRelay: () =>
    reply(550, '5.7.1', 'Relaying denied: this host takes what comes back about its own mail only'),
  noSuchAddress: () =>
    reply(550, '5.1.1', 'No such address: it is none of ours, or the mail that it is about was long ago'),
  noPeople: () => reply(550, '5.1.1', 'Nobody is set up to read mail for this address'),
  reportsOnly: () =>
    reply(550, '5.7.1', 'This address takes bounces and complaints only: nobody would read this'),
  tooEarly: () =>
    reply(451, '4.3.0', 'The mail that this is about is still being recorded, try again in a minute'),
  tooMuchMail: () => reply(451, '4.7.0', 'Too much mail from your address at once, try again later'),
  tooSlow: () => reply(421, '4.4.2', 'Timeout: the command or message took too long'),
  sessionFailed: () => reply(421, '4.3.0', 'Internal error, try again later'),
  notNow: () => reply(451, '4.3.0', 'Temporary failure, try again later'),
}

/** What a message that cannot be taken is answered with. */
export function refusalReply(refusal: Refusal): Reply {
  return reply(refusal.code, refusal.enhanced, refusal.reason)
}

/** What a failed store is answered with: only bad data is permanent. */
export function storeReply(error: unknown): Reply {
  if (error instanceof AdmissionError) return limitReply(error)
  if (!(error instanceof SubmitError)) return replies.notNow()
  switch (error.fault) {
    case 'data':
      return reply(554, '5.6.0', 'The message cannot be stored')
    case 'full':
      return reply(452, '4.3.1', 'No room to store the message, try again later')
    case 'overloaded':
      return reply(452, '4.3.1', 'Too much mail waits to be stored, try again later')
    case 'unavailable':
      return reply(451, '4.3.0', 'The message could not be stored, try again later')
    default:
      throw new Error(`unreachable: ${error.fault satisfies never}`)
  }
}

/** Mail beyond a limit is asked to come again; only an organization that is stopped is refused for good. */
function limitReply({ refusal, message }: AdmissionError): Reply {
  switch (refusal) {
    case 'monthly_quota':
      return reply(451, '4.7.1', message)
    case 'rate':
      return reply(451, '4.7.0', message)
    case 'frozen':
    case 'no_receiving':
      return reply(550, '5.7.1', message)
    default:
      throw new Error(`unreachable: ${refusal satisfies never}`)
  }
}
