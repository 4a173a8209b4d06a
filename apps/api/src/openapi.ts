/** The OpenAPI 3.1 document, from the schemas that validate requests and those that the replies follow. */
import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject } from 'zod-openapi'
import { batchRequest, emailRequest } from './email-request.ts'
import { emailPage, emailPath, sandboxPage, sandboxPath } from './paging.ts'
import {
  emailReply,
  emailsReply,
  problemReply,
  sandboxMessageReply,
  sandboxMessagesReply,
  sentBatchReply,
  sentReply,
} from './replies.ts'

const idempotencyKey = z.string().min(1).max(256).optional().meta({
  description:
    'The same key with the same request gives the same answer for 24 hours, and makes one message.',
})
const batchValidation = z.enum(['strict', 'permissive']).default('strict').meta({
  description:
    'strict: all emails are stored or none. permissive: the valid ones are, and `errors` lists the others.',
})

const problemTexts: Record<number, string> = {
  400: 'Not JSON, or an idempotency key that cannot be used.',
  401: 'No API key, or one that may only send.',
  403: 'An API key that is not known, or a sender whose domain is not verified.',
  404: 'Not found.',
  409: 'The idempotency key was used with another request.',
  413: 'Larger than the server accepts.',
  415: 'Not application/json.',
  422: 'A field is missing or not right; the message names it.',
  503: 'Nothing was stored: try again after `Retry-After`.',
}
const common = [401, 403, 503]
const forSending = [...common, 400, 409, 413, 415, 422]

/** The document as it is served; `publicUrl` is its server. */
export function openApiDocument(publicUrl: string): ReturnType<typeof createDocument> {
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
    paths: {
      '/emails': {
        post: {
          ...operation('sendEmail', 'Emails', 'Send an email', sentReply, forSending),
          requestParams: { header: z.object({ 'Idempotency-Key': idempotencyKey }) },
          requestBody: { required: true, content: { 'application/json': { schema: emailRequest } } },
        },
        get: {
          ...operation('listEmails', 'Emails', 'List emails, newest first', emailsReply, [...common, 422]),
          requestParams: { query: emailPage },
        },
      },
      '/emails/batch': {
        post: {
          ...operation('sendBatch', 'Emails', 'Send up to 100 emails', sentBatchReply, forSending),
          requestParams: {
            header: z.object({ 'Idempotency-Key': idempotencyKey, 'x-batch-validation': batchValidation }),
          },
          requestBody: { required: true, content: { 'application/json': { schema: batchRequest } } },
        },
      },
      '/emails/{id}': {
        get: {
          ...operation('getEmail', 'Emails', 'Get an email', emailReply, [...common, 404, 422]),
          requestParams: { path: emailPath },
        },
      },
      '/sandbox/messages': {
        get: {
          ...operation(
            'listSandboxMessages',
            'Sandbox',
            'List what the built-in mailbox received, newest first (sandbox delivery only)',
            sandboxMessagesReply,
            [...common, 404, 422],
          ),
          requestParams: { query: sandboxPage },
        },
      },
      '/sandbox/messages/{id}': {
        get: {
          ...operation(
            'getSandboxMessage',
            'Sandbox',
            'Get a message of the built-in mailbox (sandbox delivery only)',
            sandboxMessageReply,
            [...common, 404, 422],
          ),
          requestParams: { path: sandboxPath },
        },
      },
    },
  })
}

function operation(
  operationId: string,
  tag: string,
  summary: string,
  reply: z.ZodType,
  problems: readonly number[],
): ZodOpenApiOperationObject {
  const refusals = [...problems]
    .sort()
    .map((status) => [
      String(status),
      { description: problemTexts[status], content: { 'application/json': { schema: problemReply } } },
    ])
  return {
    operationId,
    tags: [tag],
    summary,
    responses: {
      '200': { description: 'OK', content: { 'application/json': { schema: reply } } },
      ...Object.fromEntries(refusals),
    },
  }
}
