/**
 * The listener for what comes back (MX of the return paths): bounces, complaints, and mail for the people who run this
 * server. It takes nothing else and sends nothing on, so it is no relay; and it answers in the session alone, never by mail.
 */
import type { Sql } from '@postel/db/client'
import { databaseFault } from '@postel/db/errors'
import { isReturnHost, mayReturn } from '@postel/db/queries/returned'
import { TokenBucket } from '@postel/db/token-bucket'
import type { Networks } from '@postel/runtime/networks'
import type { SMTPServerAddress, SMTPServerOptions, SMTPServerSession } from 'smtp-server'
import { isLoopback } from './authorize.ts'
import type { InboundConfig } from './config.ts'
import { SubmissionServer } from './connection.ts'
import type { InboundEvents } from './events.ts'
import { receiveHead } from './receive-head.ts'
import { type Reply, replies } from './replies.ts'
import { type IncomingRecipient, readToken, type TakeBackContext, takeBack } from './take-back.ts'
import type { Certificate } from './tls.ts'

type Session = SMTPServerSession & {
  ended?: boolean
  incoming?: { recipients: IncomingRecipient[]; unknown: number }
}

export type IncomingContext = Omit<TakeBackContext, 'mayForward'> & {
  config: InboundConfig
  sql: Sql
  proxies: Networks
  /** Our own host names, in lower case: those that the MX records of return paths name. */
  hosts: readonly string[]
  events: InboundEvents
}

/** Of a message; the rest is not looked at. What a report says of itself comes before the mail that it is about. */
const headBytesMax = 1024 * 1024
const recipientsMax = 20
/** Recipients that are none of ours, in one session: more is guessing. */
const unknownMax = 10
/** To the people behind this server, whoever writes to them. */
const forwardsPerHour = 100
const bucketsMax = 20_000
const roles: ReadonlySet<string> = new Set(['postmaster', 'abuse', 'fbl'])
const mailParameters = new Set(['SIZE', 'BODY', 'SMTPUTF8'])

/** A listener for STARTTLS, without AUTH; not yet listening. */
export function createIncomingServer(context: IncomingContext, certificate: Certificate): SubmissionServer {
  const { config, sql, proxies, hosts, events } = context
  const takeBackContext = { ...context, mayForward: hourly(forwardsPerHour) }
  const limits = new ClientLimits(config.SMTP_MX_MESSAGES_PER_SECOND)

  const refuse = (session: Session, step: 'mail' | 'rcpt' | 'data', refusal: Reply): Reply => {
    events.refused({ session: session.id, step, reply: `${refusal.responseCode} ${refusal.message}` })
    return refusal
  }
  /** The database does not answer, or we made a mistake: the remote is to come again. */
  const fail = (session: Session, step: 'mail' | 'rcpt' | 'data', error: unknown): Reply => {
    if (databaseFault(error) === 'data') events.failed(session.id, error)
    else events.storeFailed({ session: session.id, fault: 'incoming mail' }, error)
    return refuse(session, step, replies.notNow())
  }

  const findRecipient = async (address: string): Promise<IncomingRecipient | Reply> => {
    const at = address.lastIndexOf('@')
    const local = (at < 0 ? address : address.slice(0, at)).toLowerCase()
    const host = address.slice(at + 1).toLowerCase()
    // RFC 5321 §4.5.1: also without a host
    if (at < 0) return local === 'postmaster' ? roleOf(local, local) : replies.noRelay()
    const returned = readToken(local, context.secrets)
    if (returned && (await mayReturn(sql, returned.messageId, host))) return { kind: 'return_path', returned }
    if (!hosts.includes(host) && !(await isReturnHost(sql, host))) return replies.noRelay()
    return roles.has(local) ? roleOf(local, `${local}@${host}`) : replies.noSuchAddress()
  }
  const roleOf = (local: string, address: string): IncomingRecipient | Reply =>
    local === 'postmaster' && context.forwardTo === undefined
      ? replies.noPeople()
      : { kind: 'role', address, local }

  const options: SMTPServerOptions = {
    ...certificate,
    secure: false,
    name: config.POSTEL_HOSTNAME,
    banner: 'Postel',
    heloResponse: '%s at your service',
    minVersion: 'TLSv1.2',
    // A bounce may have all of the message in it
    size: config.MAX_MESSAGE_BYTES + headBytesMax,
    rejectOversized: true,
    maxRecipients: recipientsMax,
    maxClients: config.SMTP_MX_MAX_CONNECTIONS,
    socketTimeout: config.SMTP_IDLE_SECONDS * 1000,
    closeTimeout: 20_000,
    authOptional: true,
    hideENHANCEDSTATUSCODES: false,
    hideDSN: true,
    disableReverseLookup: true,
    disabledCommands: ['AUTH', 'HELP', 'WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD'],
    logger: false,

    onConnect: (session: Session, done) => {
      events.connected()
      session.incoming = { recipients: [], unknown: 0 }
      done()
    },

    onMailFrom: (address, session: Session, done) => {
      session.incoming!.recipients = []
      if (hasUnknown(address, mailParameters)) return done(refuse(session, 'mail', replies.badParameter()))
      if (!limits.allows(session.remoteAddress)) return done(refuse(session, 'mail', replies.tooMuchMail()))
      done()
    },

    onRcptTo: ({ address, args }, session: Session, done) => {
      const state = session.incoming!
      if (hasUnknown({ args }, new Set())) return done(refuse(session, 'rcpt', replies.badParameter()))
      findRecipient(address).then(
        (found) => {
          if (!(found instanceof Error)) {
            state.recipients.push(found)
            return done()
          }
          if (++state.unknown >= unknownMax) session.ended = true
          done(refuse(session, 'rcpt', found))
        },
        (error) => done(fail(session, 'rcpt', error)),
      )
    },

    onData: (stream, session: Session, done) => {
      const { recipients } = session.incoming!
      const { mailFrom } = session.envelope
      const take = async (received: Awaited<ReturnType<typeof receiveHead>>) => {
        if (received instanceof Error) return done(refuse(session, 'data', received))
        const { head: raw, whole } = received
        // smtp-server answers an oversized message with 552 whatever is said here
        if (stream.sizeExceeded)
          return done(refuse(session, 'data', replies.tooBig(config.MAX_MESSAGE_BYTES)))
        const envelopeFrom = mailFrom ? mailFrom.address : ''
        const client = session.remoteAddress
        const results = await takeBack({ raw, whole, envelopeFrom, client }, recipients, takeBackContext)
        for (const result of results) events.incoming({ session: session.id, client, ...result })
        // What was written down is not written down again when it comes again
        if (results.some(({ result }) => result === 'too_early'))
          return done(refuse(session, 'data', replies.tooEarly()))
        if (results.some(({ result }) => result === 'too_many'))
          return done(refuse(session, 'data', replies.tooMuchMail()))
        if (results.every(({ result }) => result === 'refused'))
          return done(refuse(session, 'data', replies.reportsOnly()))
        done(null, 'Taken')
      }
      receiveHead(stream, headBytesMax).then(
        (received) => take(received).catch((error) => done(fail(session, 'data', error))),
        // the client is gone: nothing is stored and there is nobody to answer
        () => done(replies.notNow()),
      )
    },
  }

  const server = new SubmissionServer(options, {
    isKnownClient: isLoopback,
    allowsPlainAuth: () => false,
    maxConnectionsPerClient: config.SMTP_MX_MAX_CONNECTIONS_PER_CLIENT,
    commandSeconds: config.SMTP_IDLE_SECONDS * 2,
    onFault: (session, error) => events.failed(session, error),
    onCrowd: (session, reply) =>
      events.refused({ session, step: 'connect', reply: `${reply.responseCode} ${reply.message}` }),
    isProxy: (address) => proxies.includes(address),
    onHeaderMissing: (proxy, problem) => events.headerMissing(proxy, problem),
  })
  server.on('error', (error: Error) => events.connectionFault(error))
  return server
}

/** Says yes that often an hour. */
function hourly(times: number): () => boolean {
  let count = 0
  let until = 0
  return () => {
    const now = performance.now()
    if (now >= until) {
      count = 0
      until = now + 3_600_000
    }
    return ++count <= times
  }
}

/** Messages of each client. */
class ClientLimits {
  readonly #perSecond: number
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  allows(client: string): boolean {
    const now = performance.now()
    let bucket = this.#buckets.get(client)
    if (bucket === undefined) {
      if (this.#buckets.size >= bucketsMax) this.#buckets.delete(this.#buckets.keys().next().value!)
      bucket = new TokenBucket(this.#perSecond, now)
      this.#buckets.set(client, bucket)
    }
    return bucket.take(1, now) === 0
  }
}

function hasUnknown({ args }: Pick<SMTPServerAddress, 'args'>, known: ReadonlySet<string>): boolean {
  return Object.keys(args || {}).some((name) => !known.has(name))
}
