/** The operator's first page: is mail accepted, does it leave, is anything behind. */
import type { Dashboard } from './dashboard.ts'
import { accepting } from './overview/accepting.ts'
import { background } from './overview/background.ts'
import { delivering } from './overview/delivering.ts'
import { now } from './overview/now.ts'
import { processes } from './overview/processes.ts'
import { queue } from './overview/queue.ts'

export const overview: Dashboard = {
  uid: 'postel-overview',
  title: 'Postel / Overview',
  description: 'Is mail accepted, does it leave, is anything behind. Begin here when an alert fires.',
  from: 'now-6h',
  rows: [now, accepting, queue, delivering, background, processes],
}
