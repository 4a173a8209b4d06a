/**
 * What may be loaded at once in all, for sites that have not answered yet, for slow ones, and for fast ones: however many
 * dead or slow sites there are, the others find room.
 */
export const kinds = ['unproven', 'slow', 'fast'] as const
export type Kind = (typeof kinds)[number]

/** Each lies in the next. */
const share: Readonly<Record<Kind, { rows: number; bytes: number }>> = {
  unproven: { rows: 1_000, bytes: 24 * 1024 * 1024 },
  slow: { rows: 3_000, bytes: 72 * 1024 * 1024 },
  fast: { rows: 4_000, bytes: 96 * 1024 * 1024 },
}
const rank: Readonly<Record<Kind, number>> = { unproven: 0, slow: 1, fast: 2 }
/** Of a thousand such messages the memory can be had at any time. */
const smallBytes = 64 * 1024

export class LoadShares {
  readonly #used: Record<Kind, { rows: number; bytes: number }> = {
    unproven: { rows: 0, bytes: 0 },
    slow: { rows: 0, bytes: 0 },
    fast: { rows: 0, bytes: 0 },
  }

  /** Small messages need only a place; how much memory there is counts for large ones. */
  hasRoom(kind: Kind, sizeBytes: number): boolean {
    let rows = 0
    let bytes = 0
    for (const each of kinds) {
      rows += this.#used[each].rows
      bytes += this.#used[each].bytes
      if (rank[each] < rank[kind]) continue
      if (rows >= share[each].rows || (bytes >= share[each].bytes && sizeBytes > smallBytes)) return false
    }
    return true
  }

  take(kind: Kind, sizeBytes: number): void {
    this.#used[kind].rows++
    this.#used[kind].bytes += sizeBytes
  }

  giveBack(kind: Kind, sizeBytes: number): void {
    this.#used[kind].rows--
    this.#used[kind].bytes -= sizeBytes
  }
}
