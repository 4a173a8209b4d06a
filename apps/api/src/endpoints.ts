/** Every endpoint of the API. */
import type { ApiContext } from './context.ts'
import { emailEndpoints } from './emails/endpoints.ts'
import type { Endpoint } from './endpoint.ts'
import { sandboxEndpoints } from './sandbox/endpoints.ts'

export function allEndpoints(context: ApiContext): Endpoint[] {
  return [...emailEndpoints(context), ...sandboxEndpoints(context)]
}
