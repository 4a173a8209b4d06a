/** A try of a message as part of the trace of its submission. Nothing is traced that was not traced there. */
import type { LoadedMessage, Outcome } from '@postel/db/queries/outbound'
import type { Tracing } from '@postel/runtime/tracing'

/** Records what has happened: the wait of a first try in the queue, and the try itself. `site`: what it was tried at. */
export function traceDelivery(
  tracing: Tracing,
  outcome: Outcome,
  message: LoadedMessage,
  site: string,
  sourceIp: string | undefined,
): void {
  const parent = message.details?.traceparent
  if (parent === undefined) return
  const startedAt = performance.timeOrigin + outcome.startedAt
  const ids = { 'postel.message.id': message.messageId, 'postel.queue.id': message.id }
  if (message.attempts === 0) {
    // Clocks of machines differ
    const queuedAt = Math.min(acceptedAt(message.messageId), startedAt)
    tracing
      .start('queue', { kind: 'internal', parent, startedAt: queuedAt, attributes: ids })
      .end({ at: startedAt })
  }
  const results = outcome.recipients.map((recipient) => recipient.outcome)
  const [first] = outcome.recipients
  const bounced = outcome.recipients.find((recipient) => recipient.outcome === 'bounced')
  tracing
    .start('deliver', {
      kind: 'client',
      parent,
      startedAt,
      attributes: {
        ...ids,
        'postel.project.id': message.projectId,
        'postel.attempt': message.attempts + 1,
        'postel.site': site,
        'postel.source_ip': sourceIp,
        'server.address': outcome.mxHost ?? undefined,
        'network.peer.address': outcome.mxAddress ?? undefined,
        'postel.outcome': results.every((result) => result === first?.outcome) ? first?.outcome : 'mixed',
        'postel.category': first?.category ?? undefined,
        'postel.code': first?.code ?? undefined,
        'postel.recipients': results.length,
        'postel.in_doubt': outcome.inDoubt,
      },
    })
    .end({
      at: startedAt + outcome.durationMs,
      ...(bounced && { failed: `bounced: ${bounced.category ?? bounced.code}` }),
    })
}

/** Milliseconds since 1970 of a UUIDv7. */
function acceptedAt(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
}
