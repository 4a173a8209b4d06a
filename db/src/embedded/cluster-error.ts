// The one error that running a PostgreSQL server of our own can raise.

/** What went wrong, for programs; the message is for people and says what to do. */
export type ClusterErrorCode =
  | 'binaries_missing'
  | 'no_unprivileged_user'
  | 'not_reachable'
  | 'not_ours'
  | 'version_mismatch'
  | 'in_use'
  | 'start_failed'
  | 'stop_failed'

/** A fault in making, starting or stopping a cluster. Its message may be shown to the operator as it is. */
export class ClusterError extends Error {
  override name = 'ClusterError'
  readonly code: ClusterErrorCode
  constructor(code: ClusterErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
