/** Bodies of test events: the shape of the real ones, about things that do not exist. */
import type { EventType } from './event-types.ts'

const nobody = '00000000-0000-7000-8000-000000000000'
const someone = { ipAddress: '192.0.2.1', userAgent: 'Mozilla/5.0' }
const refusal = '550 5.1.1 There is no such mailbox'

/** What Resend's types have for an event of this type, as JSON. */
export function sampleEvent(type: EventType, now: Date): string {
  const at = now.toISOString()
  return JSON.stringify({ type, created_at: at, data: data(type, at) })
}

function data(type: EventType, at: string): Record<string, unknown> {
  const email = {
    email_id: nobody,
    message_id: '<test@postel.example>',
    created_at: at,
    from: 'Postel <postel@example.com>',
    to: ['test@example.com'],
    subject: 'A test event',
    tags: { test: 'true' },
  }
  switch (type) {
    case 'email.sent':
    case 'email.scheduled':
    case 'email.delivered':
    case 'email.complained':
    case 'email.canceled':
    case 'email.unsubscribed':
      return email
    case 'email.delivery_delayed':
      return {
        ...email,
        delay: { message: '451 4.7.1 Try again later', diagnosticCode: ['smtp; 451 4.7.1 Try again later'] },
      }
    case 'email.bounced': {
      const bounce = {
        type: 'Permanent',
        subType: 'General',
        message: refusal,
        diagnosticCode: [`smtp; ${refusal}`],
      }
      return { ...email, bounce }
    }
    case 'email.failed':
      return { ...email, failed: { reason: 'It grew too old before it could be sent' } }
    case 'email.suppressed':
      return {
        ...email,
        suppressed: { type: 'OnAccountSuppressionList', message: 'The address is on the suppression list' },
      }
    case 'email.opened':
      return { ...email, open: { ...someone, timestamp: at } }
    case 'email.clicked':
      return { ...email, click: { ...someone, link: 'https://example.com/', timestamp: at } }
    case 'domain.created':
    case 'domain.updated':
    case 'domain.deleted':
      return {
        id: nobody,
        name: 'example.com',
        status: 'verified',
        created_at: at,
        region: 'local',
        records: [],
      }
    case 'suppression.added':
    case 'suppression.removed':
      return { id: nobody, email: 'test@example.com', origin: 'manual', source_id: null, created_at: at }
    case 'quota.warning':
      return { percent: 80, used: 8_000, quota: 10_000, month: at.slice(0, 7) }
    case 'webhook.disabled':
      return { id: nobody, endpoint: 'https://example.com/', reason: 'failing' }
    case 'notice':
      return { subject: 'A test event', text: 'Nothing has happened.' }
    default: {
      const unreachable: never = type
      throw new Error(`unreachable: ${unreachable}`)
    }
  }
}
