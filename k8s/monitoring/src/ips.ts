/** Source IPs: who holds them, what leaves from them, and what receivers think of them. */
import type { Dashboard } from './dashboard.ts'
import { eachIp } from './ips/each-ip.ts'
import { holds } from './ips/holds.ts'
import { leaving } from './ips/leaving.ts'
import { reputation } from './ips/reputation.ts'

export const ips: Dashboard = {
  uid: 'postel-ips',
  title: 'Postel / IPs and reputation',
  description: 'Source IPs: who holds them, what leaves from them, and what receivers think of them.',
  from: 'now-24h',
  choices: [
    {
      name: 'ip',
      label: 'Source IP',
      query: 'label_values(postel_ip_held{namespace=~"$namespace"}, ip)',
      many: true,
    },
  ],
  rows: [eachIp, reputation, leaving, holds],
}
