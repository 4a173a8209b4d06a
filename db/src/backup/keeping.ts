/** Which backups are to be deleted. */

export type Keeping = { days: number; months: number }

const dayMs = 86_400_000

/**
 * Of good backups (names by their start), those that are older than the days for which all are kept, and not the first of
 * one of the last months. Never the newest. Nothing when `days` is 0.
 */
export function outdated(backups: ReadonlyMap<string, Date>, { days, months }: Keeping, now: Date): string[] {
  if (days === 0) return []
  const inOrder = [...backups].sort(([, a], [, b]) => a.getTime() - b.getTime())
  const newest = inOrder.at(-1)?.[0]
  const oldestMonth = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1))
  const monthsSeen = new Set<string>()
  return inOrder
    .filter(([name, startedAt]) => {
      const month = startedAt.toISOString().slice(0, 7)
      const first = !monthsSeen.has(month)
      monthsSeen.add(month)
      if (name === newest || now.getTime() - startedAt.getTime() < days * dayMs) return false
      return !(first && months > 0 && startedAt >= oldestMonth)
    })
    .map(([name]) => name)
}
