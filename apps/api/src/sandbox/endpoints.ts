/** /sandbox: the built-in mailbox. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { getSandboxMessage, listSandbox } from './sandbox-messages.ts'

export function sandboxEndpoints(context: ApiContext): Endpoint[] {
  return [listSandbox(context), getSandboxMessage(context)]
}
