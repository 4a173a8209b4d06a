/** /me: who asks. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { whoAmI } from './who-am-i.ts'

export function peopleEndpoints(context: ApiContext): Endpoint[] {
  return [whoAmI(context)]
}
