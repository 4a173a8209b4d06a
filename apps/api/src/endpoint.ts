/**
 * An endpoint as one value: what it takes, what it answers, who may ask, and the step that serves it. The routes, the
 * OpenAPI document and the test of who is refused where are all made from the same list (endpoints.ts).
 */
import type { Request, Response } from 'express'
import type { z } from 'zod'
import type { Access, Caller } from './caller.ts'

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'

export type Body<Input> = {
  /** Documents the body; `parse` may be all that reads it. */
  schema: z.ZodType
  /** Throws a Problem that names the first field at fault. */
  parse: (body: unknown) => Input
  /** False: a request without a body is read as `{}`. Default true. */
  required?: boolean
  /** Bodies beyond it are refused with 413. Default 1 MiB; `message`: as large as the largest message may be. */
  maxBytes?: number | 'message'
  /** Default `application/json`. Other types reach `parse` as a string. */
  type?: 'application/json' | 'text/csv'
}

export type Ask<Params, Query, Input> = {
  caller: Caller
  params: Params
  query: Query
  body: Input
  request: Request
  /** For headers, and for answers that are not JSON: a step that has ended it returns nothing. */
  response: Response
}

export type EndpointSpec<
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Input,
  Reply extends z.ZodType,
  Answer extends z.input<Reply> | undefined = z.input<Reply> | undefined,
> = {
  method: Method
  /** As OpenAPI writes it: `/emails/{id}`. */
  path: string
  /** OpenAPI's operationId. */
  id: string
  tag: string
  summary: string
  description?: string
  access: Access
  params?: Params
  query?: Query
  /** Documented only; the step reads them. */
  headers?: z.ZodObject
  body?: Body<Input>
  reply: Reply
  /** Default `application/json`. */
  replyType?: string
  /** Of a reply that is no problem. Default 200. */
  status?: number
  /** Statuses of refusals beyond those that its access and its inputs bring. */
  problems?: readonly number[]
  serve: (ask: Ask<z.infer<Params>, z.infer<Query>, Input>) => Promise<Answer>
}

/** With its types gone, for lists. */
export type Endpoint = Omit<EndpointSpec<z.ZodObject, z.ZodObject, unknown, z.ZodType>, 'serve'> & {
  serve: (ask: Ask<never, never, never>) => Promise<unknown>
}

/** Checks the step against the schemas. */
export function endpoint<
  Reply extends z.ZodType,
  Params extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Input = undefined,
  const Answer extends z.input<Reply> | undefined = z.input<Reply> | undefined,
>(spec: EndpointSpec<Params, Query, Input, Reply, Answer>): Endpoint {
  return spec as unknown as Endpoint
}
