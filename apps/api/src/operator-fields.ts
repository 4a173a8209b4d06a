/** Fields of requests about hosts, addresses and rows of the platform. */
import { z } from 'zod'

/** One line that Postgres can store. */
export const line = (max: number) =>
  z
    .string({ error: 'must be a string.' })
    .trim()
    .min(1, { error: 'must not be empty.' })
    .max(max, { error: `must have at most ${max} characters.` })
    .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), {
      error: 'must not have control characters.',
    })

export const reason = line(500)

/** The number of a row, as a string, like all ids. */
export const rowId = z
  .string({ error: 'must be a string.' })
  .regex(/^\d{1,9}$/, { error: 'must be the id of one.' })

const label = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?'

/** In lower case; an international one as `xn--…`. */
export const hostname = z
  .string({ error: 'must be a string.' })
  .toLowerCase()
  .max(253, { error: 'must have at most 253 characters.' })
  .regex(new RegExp(`^(${label}\\.)*${label}$`), {
    error: 'must be a host name, an international one as `xn--…`.',
  })

/** A recipient domain, or `*.example.com` for all below one. */
export const domainPattern = z
  .string({ error: 'must be a string.' })
  .toLowerCase()
  .max(253, { error: 'must have at most 253 characters.' })
  .regex(new RegExp(`^(\\*\\.)?(${label}\\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`), {
    error: 'must be a domain, or `*.example.com` for all below it; an international one as `xn--…`.',
  })

export const ipAddress = z.union([z.ipv4(), z.ipv6()], { error: 'must be an IPv4 or IPv6 address.' })
