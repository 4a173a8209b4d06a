/** Fields that many request bodies share. */
import { isNetwork } from '@postel/runtime/networks'
import { z } from 'zod'
import 'zod-openapi'

const nameCharactersMax = 100
const networksMax = 50

/** What people call a thing; printable, not blank. */
export const nameField = z
  .string({ error: 'must be a string.' })
  .trim()
  .refine(
    (text) =>
      text.length > 0 && text.length <= nameCharactersMax && text.isWellFormed() && !/\p{Cc}/u.test(text),
    { error: `must be 1 to ${nameCharactersMax} characters, without control characters.` },
  )
  .meta({ override: { type: 'string', minLength: 1, maxLength: nameCharactersMax } })

/** A network or an address; bits behind the prefix count for nothing. */
export const networkField = z
  .string({ error: 'must be a network like 192.0.2.0/24.' })
  .refine(isNetwork, { error: 'must be a network like 192.0.2.0/24.' })
  .meta({ example: '192.0.2.0/24' })

export const networksField = z
  .array(networkField, { error: 'must be an array of networks.' })
  .min(1, { error: 'must have at least one network: leave it out for none.' })
  .max(networksMax, { error: `must have at most ${networksMax} networks.` })

/** An id, or the name of the same thing. */
export const idOrName = z
  .string({ error: 'must be an id or a name.' })
  .min(1, { error: 'must be an id or a name.' })
  .max(253, { error: 'must be an id or a name.' })
  .refine((text) => text.isWellFormed() && !text.includes('\0'), { error: 'must be an id or a name.' })

/** A moment to come. */
export const futureTime = z.iso
  .datetime({ offset: true, error: 'must be an ISO 8601 time with a time zone, like 2030-01-31T08:00:00Z.' })
  .refine((text) => Date.parse(text) > Date.now(), { error: 'must not be in the past.' })
  .refine((text) => Date.parse(text) < Date.parse('3000-01-01T00:00:00Z'), {
    error: 'must be before the year 3000.',
  })
  .transform((text) => new Date(text))
  .meta({ override: { type: 'string', format: 'date-time' } })
