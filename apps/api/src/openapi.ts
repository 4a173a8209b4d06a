/** The OpenAPI 3.1 document, from the endpoints: the schemas that validate requests and those that the replies follow. */
import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import type { Endpoint } from './endpoint.ts'
import { examples } from './examples.ts'
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

/** Where a caller acts that could act in several places. */
const place = z.object({
  'Postel-Organization': z
    .guid()
    .optional()
    .meta({
      description:
        'The organization to act in: for operators, and for people who are members of several. A key of an organization has its own.',
      param: { id: 'PostelOrganization' },
    }),
  'Postel-Project': z
    .string()
    .optional()
    .meta({
      description: 'The project to act in, by id or name: for keys of a whole organization, and for people.',
      param: { id: 'PostelProject' },
    }),
})

/** The document as it is served; `publicUrl` is its server. */
export function openApiDocument(
  endpoints: readonly Endpoint[],
  publicUrl: string,
): ReturnType<typeof createDocument> {
  const paths: ZodOpenApiPathsObject = {}
  for (const endpoint of endpoints) {
    paths[endpoint.path] ??= {}
    paths[endpoint.path]![endpoint.method] = operation(endpoint, publicUrl)
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

function operation(endpoint: Endpoint, publicUrl: string): ZodOpenApiOperationObject {
  const { id, tag, summary, access, params, query, body, reply } = endpoint
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
    description: describe(endpoint, publicUrl),
    ...(access === 'anyone' && { security: [] }),
    requestParams: {
      ...(params && { path: params }),
      ...(query && { query }),
      ...headerParameters(endpoint),
    },
    ...(body && {
      requestBody: {
        required: body.required ?? true,
        content: {
          [body.type ?? 'application/json']: {
            schema: body.schema,
            ...(examples[id] !== undefined && { example: examples[id] }),
          },
        },
      },
    }),
    responses: {
      [String(status)]: { description: 'OK', content: { [replyType]: { schema: reply } } },
      ...Object.fromEntries(refusals),
    },
  }
}

/** What it does, and a call of it that can be pasted into a shell. */
function describe({ id, method, path, access, description, body }: Endpoint, publicUrl: string): string {
  const url = `${publicUrl}${path.replaceAll(/\{(\w+)\}/g, (_, name: string) => `$${name.toUpperCase()}`)}`
  const parts = [`curl ${method === 'get' ? '' : `-X ${method.toUpperCase()} `}"${url}"`]
  if (access !== 'anyone') parts.push('-H "Authorization: Bearer $POSTEL_API_KEY"')
  const example = examples[id]
  if (body && example !== undefined) {
    const text = typeof example === 'string' ? example : JSON.stringify(example, null, 2)
    parts.push(
      `-H 'Content-Type: ${body.type ?? 'application/json'}'`,
      `--data-binary '${text.replaceAll("'", "'\\''")}'`,
    )
  }
  const call = `\`\`\`sh\n${parts.join(' \\\n  ')}\n\`\`\``
  return description === undefined ? call : `${description}\n\n${call}`
}

function headerParameters({ access, headers }: Endpoint): { header?: z.ZodObject } {
  if (access === 'anyone' || access === 'own') return headers ? { header: headers } : {}
  return { header: headers ? headers.extend(place.shape) : place }
}

/** Every status of a refusal that the endpoint may give. */
export function problemStatuses({ access, params, query, body, problems = [] }: Endpoint): Set<number> {
  const statuses = new Set([503, ...problems])
  // 404: the organization or project that its headers name
  if (access !== 'anyone' && access !== 'own')
    for (const each of [401, 403, 404, 422, 429]) statuses.add(each)
  if (params || query) statuses.add(422)
  if (body) for (const each of [400, 413, 415, 422]) statuses.add(each)
  return statuses
}
