/** /smtp-credentials: passwords for SMTP, and networks that need none. */
import type { ApiContext } from '../context.ts'
import type { Endpoint } from '../endpoint.ts'
import { createSmtpCredential } from './create-smtp-credential.ts'
import { listSmtpCredentials } from './list-smtp-credentials.ts'
import { removeSmtpCredential } from './remove-smtp-credential.ts'

export function smtpCredentialEndpoints(context: ApiContext): Endpoint[] {
  return [createSmtpCredential(context), listSmtpCredentials(context), removeSmtpCredential(context)]
}
