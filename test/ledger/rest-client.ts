/** The least REST client: sends one message, and writes down what it was told. */
import type { Ledger } from './load.ts'

export type RestOptions = {
  port: number
  key: string
  ledger: Ledger
  /** Under it the same message is stored once, however often it is sent. */
  idempotencyKey?: string
}

/** Submits a message to one recipient. Gives the status; 0 when the connection ended without one. */
export async function sendByRest(recipient: string, options: RestOptions): Promise<number> {
  const { port, key, ledger, idempotencyKey } = options
  ledger.attempted.add(recipient)
  try {
    const reply = await fetch(`http://127.0.0.1:${port}/emails`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        connection: 'close',
        ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
      },
      body: JSON.stringify({ from: 'load@s.test', to: recipient, subject: recipient, text: 'body' }),
    })
    await reply.text()
    if (reply.ok) ledger.acked.add(recipient)
    else ledger.refuse('rest', reply.status)
    return reply.status
  } catch {
    return 0
  }
}
