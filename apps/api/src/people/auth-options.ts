/** What better-auth is made with, and the names that it and the rest agree on. Apart from it, because it takes long to load. */
import type { Sql } from '@postel/db/client'
import type { SystemMail } from './system-mail.ts'

export type AuthOptions = {
  /** For questions of ours. */
  sql: Sql
  /** better-auth's alone. */
  authSql: Sql
  /** The secrets of the installation in base64, the one in use first. */
  secrets: readonly string[]
  /** Without a slash at the end. */
  publicUrl: string
  /** Whether anybody may have an account, or only who was invited. */
  signUp: 'open' | 'invitation'
  github: { clientId: string; clientSecret: string } | undefined
  oidc: OidcOptions | undefined
  systemMail: SystemMail
  /** Follows work that no reply waits for, so that a reply's time tells nothing. */
  inBackground: (work: Promise<unknown>) => void
  log: (level: 'error' | 'warn' | 'info' | 'debug', message: string, ...details: unknown[]) => void
  /** What a person did to the own account. */
  onChange: (userId: string, action: string, headers: Headers) => Promise<void>
}

export type OidcOptions = { issuer: string; clientId: string; clientSecret: string; name: string }

export const cookiePrefix = 'postel'
/** Set by us alone, over whatever a client sends under this name. */
export const addressHeader = 'x-postel-client-address'

/** Where an identity provider says how it works (OpenID Connect Discovery). */
export function discoveryUrl(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
}
