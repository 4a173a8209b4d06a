/** The built-in mailbox of DELIVERY_MODE=sandbox: a real SMTP server on loopback that keeps the last messages. */
import type { SandboxStore } from '@postel/db/queries/sandbox-store'
import { SMTPServer } from 'smtp-server'
import type { OutboundEvents } from './events.ts'

export type SandboxMailbox = { port: number; stop(): Promise<void> }

/** Listens on a free port of 127.0.0.1. A message is answered with 250 once it is stored. */
export async function openSandboxMailbox(
  store: SandboxStore,
  events: OutboundEvents,
): Promise<SandboxMailbox> {
  const server = new SMTPServer({
    name: 'sandbox.postel.invalid',
    banner: 'Postel sandbox mailbox',
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    closeTimeout: 1_000,
    logger: false,
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', () => {})
      stream.on('end', () => {
        const { mailFrom, rcptTo, dsn } = session.envelope
        store
          .add({
            // outbound says the message's id here, so that the mailbox knows whose mail it is
            messageId: dsn?.envid ?? null,
            clientAddress: session.remoteAddress,
            ehloName: session.hostNameAppearsAs || '',
            envelopeFrom: mailFrom ? mailFrom.address : '',
            recipients: rcptTo.map((recipient) => recipient.address),
            raw: Buffer.concat(chunks),
          })
          .then(
            () => done(),
            (error) => {
              events.sandboxFailed(error)
              done(Object.assign(new Error('The sandbox could not store the message'), { responseCode: 451 }))
            },
          )
      })
    },
  })
  server.on('error', () => {})
  await new Promise<void>((resolve, reject) => {
    server.server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve())
  })
  return {
    port: (server.server.address() as { port: number }).port,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
