/**
 * How long heartbeats have been watched without a gap. Whatever kept the manager from looking may have kept the nodes from saying that
 * they live, and when the database's clock jumps everybody seems to have been silent: then the watch begins anew.
 */
const gapMs = 10_000
const jumpMs = 5_000

export class Watch {
  #since: number | undefined
  #at = 0
  #offset = 0

  /** Notes a look, by the monotonic clock and by the database's, in milliseconds; how long the watch has lasted. */
  look(atMs: number, databaseMs: number): number {
    const offset = databaseMs - atMs
    if (this.#since === undefined || atMs - this.#at > gapMs || Math.abs(offset - this.#offset) > jumpMs)
      this.#since = atMs
    this.#at = atMs
    this.#offset = offset
    return atMs - this.#since
  }
}
