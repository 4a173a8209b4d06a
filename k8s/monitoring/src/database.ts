/** Postgres: what Postel asks of it and what holds it back. */
import type { Dashboard } from './dashboard.ts'
import { connections } from './database/connections.ts'
import { notifications } from './database/notifications.ts'
import { now } from './database/now.ts'
import { upkeep } from './database/upkeep.ts'
import { vacuum } from './database/vacuum.ts'

export const database: Dashboard = {
  uid: 'postel-database',
  title: 'Postel / Database',
  description: 'Postgres as Postel sees it: connections, notifications, vacuum, sizes, partitions, backups.',
  from: 'now-6h',
  rows: [now, connections, vacuum, notifications, upkeep],
}
