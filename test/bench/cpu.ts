/** CPU time and memory of whole process trees, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, which Linux fixes at 100 for everything it shows to programs. */
const tickMs = 10

type Entry = { parent: number; ticks: number }

/**
 * Milliseconds of user and system time that each tree (a process and all below it) has used so far. Children that have
 * ended count as well: the kernel adds them to their parent when it reaps them, so the sum of a tree never loses any.
 */
export function cpuOf<Name extends string>(roots: Record<Name, number>): Record<Name, number> {
  const table = readProcesses()
  return mapValues(roots, (root) => {
    const tree = treeOf(root, table)
    return tickMs * tree.reduce((sum, pid) => sum + table.get(pid)!.ticks, 0)
  })
}

/**
 * Mebibytes of memory that each tree holds. Pages shared among processes (Postgres's buffers) count once, by their
 * proportional share, where the kernel lets us see that; else each process's resident size counts in full.
 */
export function memoryOf<Name extends string>(roots: Record<Name, number>): Record<Name, number> {
  const table = readProcesses()
  return mapValues(roots, (root) => {
    const kib = treeOf(root, table).reduce((sum, pid) => sum + memoryKib(pid), 0)
    return Math.round(kib / 1024)
  })
}

function mapValues<Name extends string>(
  record: Record<Name, number>,
  change: (value: number) => number,
): Record<Name, number> {
  const entries = Object.entries<number>(record).map(([name, value]) => [name, change(value)])
  return Object.fromEntries(entries) as Record<Name, number>
}

function readProcesses(): Map<number, Entry> {
  const table = new Map<number, Entry>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const text = read(`/proc/${name}/stat`)
    if (text === undefined) continue
    // The command's name, in parentheses, may hold anything; what follows it starts with field 3, the state.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number)
    table.set(Number(name), { parent: Number(fields[1]), ticks: utime! + stime! + cutime! + cstime! })
  }
  return table
}

function treeOf(root: number, table: Map<number, Entry>): number[] {
  if (!table.has(root)) throw new Error(`process ${root}, which is being measured, has ended`)
  const tree = [root]
  for (const parent of tree) for (const [pid, entry] of table) if (entry.parent === parent) tree.push(pid)
  return tree
}

function memoryKib(pid: number): number {
  const pss = /^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '')
  const found = pss ?? /^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`) ?? '')
  return Number(found?.[1] ?? 0)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
