/** Reads the environment against a zod schema and reports every problem at once. */
import { z } from 'zod'
import { isNetwork } from './networks.ts'

/** A configuration that cannot be used. The message lists each variable and what is wrong with it, a line each. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/**
 * Parses `env` with `schema` (keys are variable names) into a frozen object. An empty string counts as unset, as in a
 * `.env` file. Throws ConfigError with all problems.
 */
export function readEnv<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  env: NodeJS.ProcessEnv,
): Readonly<z.infer<z.ZodObject<Shape>>> {
  const given = Object.fromEntries(
    Object.keys(schema.shape)
      .map((name) => [name, env[name]] as const)
      .filter(([, value]) => value !== undefined && value !== ''),
  )
  const result = schema.safeParse(given)
  if (result.success) return Object.freeze(result.data)
  const problems = result.error.issues.map(
    (issue) => `  ${issue.path.join('.') || 'environment'}: ${issue.message}`,
  )
  throw new ConfigError(`The configuration cannot be used:\n${problems.join('\n')}`)
}

/** `true` or `false`, written out. */
export const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .default(fallback ? 'true' : 'false')
    .transform((text) => text === 'true')

/** A whole number within bounds. */
export const wholeNumber = (fallback: number, min: number, max: number) =>
  z.coerce
    .number({ error: `must be a whole number from ${min} to ${max}` })
    .int({ error: `must be a whole number from ${min} to ${max}` })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` })
    .default(fallback)

/** A TCP port; 0 lets the system choose. */
export const port = (fallback: number) => wholeNumber(fallback, 0, 65535)

/** Comma-separated entries, trimmed, empty ones dropped. */
export const list = () =>
  z
    .string()
    .default('')
    .transform((text) =>
      text
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== ''),
    )

/** Comma-separated networks (CIDR) or addresses. */
export const networkList = () =>
  list().refine((entries) => entries.every(isNetwork), {
    error: 'must be networks like 10.0.0.0/8, separated by commas',
  })

/** A Postgres URL. */
export const databaseUrl = () =>
  z
    .string({ error: 'must be set to a postgres:// URL' })
    .regex(/^postgres(ql)?:\/\//, { error: 'must be a postgres:// URL' })
