/** What a client may send to /domains, in Resend's names. */
import { isProblem, parseDomain } from '@postel/mail/domain'
import { parse } from 'tldts'
import { z } from 'zod'
import 'zod-openapi'

/** Resend's; kept and given back, so that programs which compare find what they asked for. */
export const regions = ['us-east-1', 'eu-west-1', 'sa-east-1', 'ap-northeast-1'] as const

const flag = z.boolean({ error: 'must be true or false.' })
const capability = z.enum(['enabled', 'disabled'], { error: 'must be `enabled` or `disabled`.' })

const label = z
  .string({ error: 'must be a string.' })
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i, {
    error: 'must be one label of a host name: letters, digits and hyphens.',
  })
  .transform((text) => text.toLowerCase())

const capabilities = z
  .object({ sending: capability, receiving: capability }, { error: 'must be an object.' })
  .partial()

/** A name that somebody can own: no public suffix, none of the forms that others may read differently. */
export const domainName = z.string({ error: 'must be a string.' }).transform((text, context) => {
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  const name = parseDomain(text)
  if (typeof name !== 'string') return refuse(isProblem(name) ? `is not a domain. ${name.problem}` : '')
  const { domain } = parse(name, { allowPrivateDomains: true })
  if (domain === null) return refuse('is a public suffix, below which anybody may register names.')
  if (name.length > namesMax) return refuse('is too long: its DNS records could not be named.')
  return { name, zone: domain }
})

/** Leaves room for the longest label of a record before it. */
const namesMax = 180

const settings = {
  capabilities: capabilities.optional(),
  open_tracking: flag.optional(),
  click_tracking: flag.optional(),
  tls: z.enum(['opportunistic', 'enforced'], { error: 'must be `opportunistic` or `enforced`.' }).optional(),
  tracking_subdomain: label.nullish().meta({ example: 'links' }),
}

export const createDomainRequest = z
  .object(
    {
      name: domainName.meta({
        override: { type: 'string' },
        example: 'example.com',
        description: 'In any language; a public suffix is refused.',
      }),
      region: z
        .string({ error: 'must be a string.' })
        .optional()
        .meta({ enum: [...regions] }),
      custom_return_path: label
        .optional()
        .meta({ description: 'The label that bounces come back to. Default `send`.', example: 'send' }),
      ...settings,
    },
    { error: 'must be an object.' },
  )
  .meta({ id: 'CreateDomain' })

export const updateDomainRequest = z
  .object({ ...settings, custom_return_path: label.optional() }, { error: 'must be an object.' })
  .meta({ id: 'UpdateDomain' })

export const importDkimRequest = z
  .object(
    {
      selector: z
        .string({ error: 'must be a string.' })
        .max(63, { error: 'must have at most 63 characters.' })
        .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i, {
          error: 'must be letters, digits and hyphens, in labels separated by dots.',
        })
        .transform((text) => text.toLowerCase())
        .meta({ example: 's1' }),
      private_key: z
        .string({ error: 'must be a string.' })
        .max(20_000, { error: 'must have at most 20000 characters.' })
        .meta({
          description: 'In PEM, without a pass phrase: RSA of 1024 (better 2048) to 4096 bits, or Ed25519.',
        }),
    },
    { error: 'must be an object.' },
  )
  .meta({ id: 'ImportDkimKey' })
