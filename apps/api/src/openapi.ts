/** The OpenAPI 3.1 document, from the endpoints: the schemas that validate requests and those that the replies follow. */
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { Endpoint } from './endpoint.ts'
import { problemReply } from './shapes.ts'

const problemTexts: Record<number, string> = {
  400: 'Not JSON, or an idempotency key that cannot be used.',
  401: 'No API key, or one that may only send.',
  403: 'Not allowed: an API key that is not known or has too few rights, or a sender whose domain is not verified.',
  404: 'Not found.',
  409: 'In conflict with what is there, or with an earlier request under the same idempotency key.',
  413: 'Larger than the server accepts.',
  415: 'Not of the content type that is asked for.',
  422: 'A field or parameter is missing or not right; the message names it.',
  429: 'Too many requests or too much mail: try again after `Retry-After`.',
  503: 'Nothing was changed: try again after `Retry-After`.',
}

/** The document as it is served; `publicUrl` is its server. */
export function openApiDocument(
  endpoints: readonly Endpoint[],
  publicUrl: string,
): ReturnType<typeof createDocument> {
  const paths: ZodOpenApiPathsObject = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] ??= {}
    paths[endpoint.path]![endpoint.method] = operation(endpoint)
  }
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Postel',
      version: '0.1.0',
      description: 'Sends mail. The shapes are those of Resend, whose SDKs work with this server.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: publicUrl }],
    security: [{ apiKey: [] }],
    components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    paths,
  })
}

function operation(endpoint: Endpoint): ZodOpenApiOperationObject {
  const { id, tag, summary, description, access, params, query, headers, body, reply } = endpoint
  const { replyType = 'application/json', status = 200 } = endpoint
  const refusals = [...problemStatuses(endpoint)]
    .sort()
    .map((each) => [
      String(each),
      { description: problemTexts[each]!, content: { 'application/json': { schema: problemReply } } },
    ])
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(access === 'anyone' && { security: [] }),
    requestParams: {
      ...(params && { path: params }),
      ...(query && { query }),
      ...(headers && { header: headers }),
    },
    ...(body && {
      requestBody: {
        required: body.required ?? true,
        content: { [body.type ?? 'application/json']: { schema: body.schema } },
      },
    }),
    responses: {
      [String(status)]: { description: 'OK', content: { [replyType]: { schema: reply } } },
      ...Object.fromEntries(refusals),
    },
  }
}

/** Every status of a refusal that the endpoint may give. */
export function problemStatuses({ access, params, query, body, problems = [] }: Endpoint): Set<number> {
  const statuses = new Set([503, ...problems])
  if (access !== 'anyone' && access !== 'own') for (const each of [401, 403, 422]) statuses.add(each)
  if (params || query) statuses.add(422)
  if (body) for (const each of [400, 413, 415, 422]) statuses.add(each)
  return statuses
}
