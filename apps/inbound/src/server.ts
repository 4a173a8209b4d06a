/** The SMTP sessions: connect → AUTH → MAIL → RCPT → DATA, each step answering for itself. */

import type { Principal } from '@postel/db/queries/credentials'
import type { Submitter } from '@postel/db/submitter'
import { domainBelongsTo, isProblem, type Mailbox, parseMailbox } from '@postel/mail/address'
import { asciiRecipient } from '@postel/mail/report-fields'
import type { MailLinks } from '@postel/mail/tracking'
import type { Networks } from '@postel/runtime/networks'
import type { Tracing } from '@postel/runtime/tracing'
import type { SMTPServerAddress, SMTPServerOptions, SMTPServerSession } from 'smtp-server'
import type { AuthGuard } from './auth-guard.ts'
import { type Authorizer, type Identity, isLoopback } from './authorize.ts'
import type { InboundConfig } from './config.ts'
import { SubmissionServer } from './connection.ts'
import type { InboundEvents, Step } from './events.ts'
import { receiveMessage } from './receive.ts'
import { type Reply, replies } from './replies.ts'
import { type EnvelopeDsn, submit } from './submit.ts'
import type { Certificate } from './tls.ts'

/** What a session gathers beside what smtp-server keeps. */
type Session = SMTPServerSession & {
  /** The connection is closed behind the next reply. */
  ended?: boolean
  postel?: {
    identity: Identity
    authFailures: number
    /** As of the last MAIL. */
    principal?: Principal
    from: Mailbox | null
    recipients: Map<string, Mailbox>
  }
}

export type ServerContext = {
  config: InboundConfig
  authorizer: Authorizer
  /** Balancers, which say by a PROXY header whose connection it is. */
  proxies: Networks
  /** One for all listeners. */
  guard: AuthGuard
  submitter: Submitter
  links: MailLinks
  events: InboundEvents
  tracing: () => Tracing | undefined
}

const authFailuresMax = 3
/** What EHLO offers (RFC 1870, 6152, 6531, 8689, 3461), and AUTH=, which is permitted to everybody (RFC 4954 §5). */
const mailParameters = new Set(['SIZE', 'BODY', 'SMTPUTF8', 'REQUIRETLS', 'RET', 'ENVID', 'AUTH'])
const rcptParameters = new Set(['NOTIFY', 'ORCPT'])

/** A listener for STARTTLS (`secure: false`) or implicit TLS; not yet listening. */
export function createServer(
  context: ServerContext,
  secure: boolean,
  certificate: Certificate,
): SubmissionServer {
  const { config, authorizer, proxies, guard, submitter, links, events, tracing } = context
  const sandbox = config.DELIVERY_MODE === 'sandbox'

  const refuse = (session: Session, step: 'auth' | 'mail' | 'rcpt' | 'data', refusal: Reply): Reply => {
    events.refused({ session: session.id, step, reply: `${refusal.responseCode} ${refusal.message}` })
    return refusal
  }

  /** After a mistake of ours in one step of one session. */
  const fail = (session: Session, step: 'auth' | 'mail' | 'data', error: unknown): Reply => {
    events.failed(session.id, error)
    return refuse(session, step, replies.notNow())
  }

  /** The same reply, with how long the step took. */
  const timed = <Rest extends unknown[]>(
    step: Step,
    reply: (refusal?: Error | null, ...rest: Rest) => void,
  ) => {
    const startedAt = performance.now()
    return (refusal?: Error | null, ...rest: Rest) => {
      events.replied(step, (refusal as Reply | undefined)?.responseCode, performance.now() - startedAt)
      reply(refusal, ...rest)
    }
  }

  const options: SMTPServerOptions = {
    ...certificate,
    secure,
    name: config.POSTEL_HOSTNAME,
    banner: 'Postel',
    heloResponse: '%s at your service',
    minVersion: 'TLSv1.2',
    size: config.MAX_MESSAGE_BYTES,
    rejectOversized: true,
    maxRecipients: config.SMTP_MAX_RECIPIENTS,
    maxClients: config.SMTP_MAX_CONNECTIONS,
    socketTimeout: config.SMTP_IDLE_SECONDS * 1000,
    closeTimeout: 20_000,
    authMethods: ['PLAIN', 'LOGIN'],
    // Whether AUTH is needed depends on the network, so MAIL decides it; whether it is allowed, the connection does.
    authOptional: true,
    allowInsecureAuth: true,
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    hideREQUIRETLS: false,
    disableReverseLookup: true,
    disabledCommands: ['HELP', 'WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD'],
    logger: false,

    onConnect: (session: Session, done) => {
      events.connected()
      session.postel = { identity: undefined, authFailures: 0, from: null, recipients: new Map() }
      done()
    },

    onSecure: (_socket, session: Session, done) => {
      if (session.postel) session.postel.identity = undefined
      done()
    },

    onAuth: (auth, session: Session, reply) => {
      const done = timed('auth', reply)
      const state = session.postel!
      const user = auth.username ?? ''
      const secret = auth.password ?? ''
      const { remoteAddress: address } = session
      if (state.authFailures >= authFailuresMax || guard.locked(user, address))
        return done(refuse(session, 'auth', replies.tooManyAuthFailures()))
      const identity = { secret, user }
      authorizer
        .authorize(identity, address)
        .then(
          (principal) => {
            events.authenticated({
              session: session.id,
              client: address,
              ok: principal !== undefined,
            })
            if (principal) {
              guard.succeeded(user, address)
              state.identity = identity
              return done(null, { user: principal.projectId })
            }
            state.authFailures++
            const answer = () => done(refuse(session, 'auth', replies.authFailed()))
            setTimeout(answer, guard.failed(user, address)).unref()
          },
          () => done(refuse(session, 'auth', replies.notNow())),
        )
        .catch((error) => done(fail(session, 'auth', error)))
    },

    onMailFrom: (address, session: Session, reply) => {
      const done = timed('mail', reply)
      const state = session.postel!
      if (hasUnknown(address, mailParameters)) return done(refuse(session, 'mail', replies.badParameter()))
      const from = readSender(address, session)
      if (from instanceof Error) return done(refuse(session, 'mail', from))
      authorizer
        .authorize(state.identity, session.remoteAddress)
        .then(
          (principal) => {
            if (!principal) {
              // What it authenticated with has been revoked, or has expired: it may begin anew
              session.ended = state.identity !== undefined
              return done(refuse(session, 'mail', replies.authRequired()))
            }
            if (from && !domainBelongsTo(from.domain, principal.domains))
              return done(refuse(session, 'mail', replies.senderNotOwned(from.domain)))
            state.principal = principal
            state.from = from
            state.recipients = new Map()
            done()
          },
          () => done(refuse(session, 'mail', replies.notNow())),
        )
        .catch((error) => done(fail(session, 'mail', error)))
    },

    onRcptTo: (address, session: Session, reply) => {
      const done = timed('rcpt', reply)
      if (hasUnknown(address, rcptParameters)) return done(refuse(session, 'rcpt', replies.badParameter()))
      const recipient = parseMailbox(address.address, { smtputf8: session.envelope.smtpUtf8 === true })
      if (isProblem(recipient))
        return done(
          refuse(
            session,
            'rcpt',
            recipient.needsSmtputf8 ? replies.needsSmtpUtf8() : replies.badRecipient(recipient.problem),
          ),
        )
      session.postel!.recipients.set(address.address.toLowerCase(), recipient)
      done()
    },

    onData: (stream, session: Session, done) => {
      const { principal, from, recipients } = session.postel!
      const envelope = {
        from,
        recipients: [...recipients.values()],
        requireTls: session.envelope.requireTLS === true,
        smtpUtf8: session.envelope.smtpUtf8 === true,
        dsn: readDsn(session, recipients),
      }
      const { id, transmissionType: protocol } = session
      const take = async (raw: Buffer | Reply, done: (refusal: Reply | null, message?: string) => void) => {
        if (raw instanceof Error) return done(refuse(session, 'data', raw))
        // smtp-server answers an oversized message with 552 whatever is said here
        if (stream.sizeExceeded)
          return done(refuse(session, 'data', replies.tooBig(config.MAX_MESSAGE_BYTES)))
        const started = performance.now()
        const span = tracing()?.start('smtp message', {
          kind: 'server',
          attributes: {
            'postel.session': id,
            'client.address': session.remoteAddress,
            'postel.recipients': envelope.recipients.length,
            'postel.bytes': raw.length,
          },
        })
        const result = await submit(raw, envelope, {
          trace: span?.traceparent,
          principal: principal!,
          hostname: config.POSTEL_HOSTNAME,
          protocol,
          submitter,
          links,
        }).catch((error: unknown) => {
          span?.end({ failed: `${replies.notNow().responseCode}` })
          throw error
        })
        if ('refused' in result) {
          span?.end({ failed: `${result.refused.responseCode}` })
          if (result.cause) events.storeFailed({ session: id, fault: result.refused.message }, result.cause)
          return done(refuse(session, 'data', result.refused))
        }
        span?.end({ attributes: { 'postel.message.id': result.id } })
        events.accepted({
          session: id,
          message: result.id,
          project: principal!.projectId,
          recipients: envelope.recipients.length,
          bytes: result.bytes,
          seconds: (performance.now() - started) / 1000,
        })
        done(null, `queued as ${result.id}`)
      }
      receiveMessage(stream).then(
        (raw) => {
          const answer = timed('data', done)
          void take(raw, answer).catch((error) => answer(fail(session, 'data', error)))
        },
        // the client is gone: nothing is stored and there is nobody to answer
        () => done(replies.notNow()),
      )
    },
  }

  const server = new SubmissionServer(options, {
    isKnownClient: (address) => isLoopback(address) || authorizer.isTrusted(address),
    allowsPlainAuth: (address) => sandbox && isLoopback(address),
    maxConnectionsPerClient: config.SMTP_MAX_CONNECTIONS_PER_CLIENT,
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

/** RFC 5321 §4.1.1.11: a parameter that is not understood must not be passed over. */
function hasUnknown(address: SMTPServerAddress, known: ReadonlySet<string>): boolean {
  return Object.keys(address.args || {}).some((name) => !known.has(name))
}

/** null for the null sender, which is always allowed here: the header's From is checked with the message. */
function readSender(address: SMTPServerAddress, session: Session): Mailbox | null | Reply {
  if (address.address === '') return null
  const from = parseMailbox(address.address, { smtputf8: session.envelope.smtpUtf8 === true })
  if (!isProblem(from)) return from
  return from.needsSmtputf8 ? replies.needsSmtpUtf8() : replies.badSender(from.problem)
}

function readDsn(session: Session, recipients: ReadonlyMap<string, Mailbox>): EnvelopeDsn | undefined {
  const { dsn, rcptTo } = session.envelope
  const dsnRecipients: EnvelopeDsn['recipients'] = {}
  for (const rcpt of rcptTo) {
    const wanted = rcpt.dsn
    const recipient = recipients.get(rcpt.address.toLowerCase())
    if (!wanted || !recipient) continue
    dsnRecipients[recipient.address] = {
      ...(wanted.notify && { notify: [...new Set(wanted.notify)].join(',') }),
      ...(wanted.orcpt && { orcpt: asciiRecipient(wanted.orcpt) }),
    }
  }
  if (!dsn?.ret && !dsn?.envid && Object.keys(dsnRecipients).length === 0) return undefined
  return {
    ...(dsn?.ret && { ret: dsn.ret }),
    ...(dsn?.envid && { envid: dsn.envid }),
    recipients: dsnRecipients,
  }
}
