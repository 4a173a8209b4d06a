/** The NOTIFY channels and their payloads. Every notification is a hint: what it announces stands in a table. */

/** The ids of the source IPs that have new work, comma-separated. */
export const outboundChannel = 'postel_outbound'
/** One event: `{type, message_id, delivery_id}`; ids only, because any role can listen. */
export const eventsChannel = 'postel_events'
/** What processes should read again: `credentials`, `ips`. */
export const controlChannel = 'postel_control'

export type Channel = typeof outboundChannel | typeof eventsChannel | typeof controlChannel

/** Postgres refuses payloads of 8,000 bytes or more. */
export const maxPayloadBytes = 7_900

/** Packs ids into as few payloads as fit. */
export function packIds(ids: Iterable<number>): string[] {
  const payloads: string[] = []
  let payload = ''
  for (const id of ids) {
    const text = String(id)
    if (payload.length + text.length + 1 > maxPayloadBytes) {
      payloads.push(payload)
      payload = ''
    }
    payload += payload === '' ? text : `,${text}`
  }
  if (payload !== '') payloads.push(payload)
  return payloads
}

/** The ids of a payload; what is not a positive number is left out, because anybody can notify. */
export function unpackIds(payload: string): number[] {
  return payload
    .split(',')
    .map(Number)
    .filter((id) => Number.isSafeInteger(id) && id > 0)
}
