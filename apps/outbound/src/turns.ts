/**
 * Whose turn it is: by priority (codes before receipts before newsletters, by weight, so that none starves), then project
 * by project, then lane by lane. Each step costs the same however many lanes there are.
 */
import type { Lane } from './lanes.ts'

/** Of 21 turns in a row 16 go to codes, 4 to receipts and 1 to newsletters, as far as each has mail. */
function weightOf(priority: number): number {
  if (priority < 30) return 16
  return priority < 70 ? 4 : 1
}

/** Codes: what somebody sits and waits for. */
export function isUrgent(priority: number): boolean {
  return weightOf(priority) === 16
}

type Project = { id: string; lanes: Fifo<Lane> }
type Level = { weight: number; credit: number; projects: Fifo<Project>; byId: Map<string, Project> }

export class Turns {
  readonly #levels = new Map<number, Level>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Puts a lane at the end of its project's line. It must not be in line already. */
  push(lane: Lane): void {
    const weight = weightOf(lane.priority)
    let level = this.#levels.get(weight)
    if (!level) {
      level = { weight, credit: 0, projects: new Fifo(), byId: new Map() }
      this.#levels.set(weight, level)
    }
    let project = level.byId.get(lane.projectId)
    if (!project) {
      project = { id: lane.projectId, lanes: new Fifo() }
      level.byId.set(lane.projectId, project)
      level.projects.push(project)
    }
    project.lanes.push(lane)
    this.#size++
  }

  /** Takes out the lane whose turn it is. */
  next(): Lane | undefined {
    const level = this.#nextLevel()
    const project = level?.projects.shift()
    const lane = project?.lanes.shift()
    if (!level || !project || !lane) return undefined
    if (project.lanes.size > 0) level.projects.push(project)
    else level.byId.delete(project.id)
    this.#size--
    return lane
  }

  clear(): void {
    this.#levels.clear()
    this.#size = 0
  }

  /** Smooth weighted round robin over the levels that have lanes. */
  #nextLevel(): Level | undefined {
    let best: Level | undefined
    let total = 0
    for (const level of this.#levels.values()) {
      if (level.projects.size === 0) {
        level.credit = 0
        continue
      }
      total += level.weight
      level.credit += level.weight
      if (!best || level.credit > best.credit) best = level
    }
    if (best) best.credit -= total
    return best
  }
}

/** First in, first out, both in constant time. */
class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (this.size === 0) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }
}
