/** The TLS settings of outgoing connections. Made once: to read the trusted authorities takes longer than a handshake. */
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'

export class TlsContexts {
  readonly #ca: { ca?: (string | Buffer)[] }
  #strict: SecureContext | undefined
  #opportunistic: SecureContext | undefined

  /** `trustedCa`: PEM of authorities that are trusted besides the system's. */
  constructor(trustedCa?: Buffer) {
    this.#ca = trustedCa ? { ca: [...getCACertificates('default'), trustedCa] } : {}
  }

  /** For TLS that must protect: 1.2 or later. */
  get strict(): SecureContext {
    this.#strict ??= createSecureContext({ minVersion: 'TLSv1.2', ...this.#ca })
    return this.#strict
  }

  /** For TLS that is better than none (RFC 7435): old versions and short keys too. */
  get opportunistic(): SecureContext {
    this.#opportunistic ??= createSecureContext({
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
      ...this.#ca,
    })
    return this.#opportunistic
  }
}
