/** How urgent a message is and how long it is worth sending, in the words of SMTP headers and REST fields. */

/** queue.priority of each name: lower leaves first. Codes are high, receipts normal, newsletters low. */
export const priorities = { high: 10, normal: 50, low: 90 } as const

export type PriorityName = keyof typeof priorities
export const priorityNames = Object.keys(priorities) as [PriorityName, ...PriorityName[]]

/** The longest time that a client may ask for; its project's own limit holds as well. */
export const lifetimeDaysMax = 30
export const lifetimeSecondsMax = lifetimeDaysMax * 86_400

const unitSeconds: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** The priority of a name, in any case; undefined for anything else. */
export function parsePriority(text: string): number | undefined {
  const name = text.toLowerCase()
  return Object.hasOwn(priorities, name) ? priorities[name as PriorityName] : undefined
}

/** Seconds from `600`, `600s`, `10m`, `2h` or `3d`: one second to 30 days; undefined for anything else. */
export function parseLifetime(text: string): number | undefined {
  const [, count, unit = 's'] = /^(\d{1,9})([smhd])?$/i.exec(text) ?? []
  const seconds = Number(count) * unitSeconds[unit.toLowerCase()]!
  return seconds >= 1 && seconds <= lifetimeSecondsMax ? seconds : undefined
}
