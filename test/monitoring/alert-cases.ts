/** The cases of all alerts, by name. */
import { accepting } from './cases/accepting.ts'
import { background } from './cases/background.ts'
import { backup } from './cases/backup.ts'
import { database } from './cases/database.ts'
import { delivery } from './cases/delivery.ts'
import { ips } from './cases/ips.ts'
import { processes } from './cases/processes.ts'
import { reputation } from './cases/reputation.ts'
import type { AlertCase } from './cases/series.ts'

export const alertCases: Record<string, AlertCase> = {
  ...processes,
  ...accepting,
  ...delivery,
  ...reputation,
  ...ips,
  ...database,
  ...background,
  ...backup,
}
