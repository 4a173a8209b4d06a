/** Signing secrets as clients see them (Standard Webhooks): `whsec_` and the bytes in base64. */
import { randomBytes } from 'node:crypto'
import type { SecretBox } from '@postel/runtime/secret-box'

const secretBytes = 24

export type SigningSecret = { shown: string; sealed: Buffer }

/** A new one, bound to the webhook. */
export function newSigningSecret(secretBox: SecretBox, webhookId: string): SigningSecret {
  const secret = randomBytes(secretBytes)
  return { shown: shown(secret), sealed: secretBox.seal(secret, webhookId) }
}

export function openSigningSecret(secretBox: SecretBox, webhookId: string, sealed: Buffer): string {
  return shown(secretBox.open(sealed, webhookId))
}

function shown(secret: Buffer): string {
  return `whsec_${secret.toString('base64')}`
}
