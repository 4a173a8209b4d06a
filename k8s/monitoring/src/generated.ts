/** Every file that is made from another one here, with the text that it must have. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderDashboard } from './dashboard.ts'
import { database } from './database.ts'
import { ips } from './ips.ts'
import { overview } from './overview.ts'
import { project } from './project.ts'
import { renderPrometheusRule } from './prometheus-rule.ts'
import { providers } from './providers.ts'

const monitoring = join(import.meta.dirname, '..')

export const dashboardFolder = join(monitoring, 'dashboards')

const rulesFile = join(monitoring, 'rules/postel.rules.yaml')
const dashboards = [overview, ips, providers, database, project]

/** Absolute paths. Throws when the rule file cannot be read. */
export function generated(): { path: string; text: string }[] {
  return [
    ...dashboards.map((dashboard) => ({
      path: join(dashboardFolder, `${dashboard.uid}.json`),
      text: `${JSON.stringify(renderDashboard(dashboard), null, 2)}\n`,
    })),
    {
      path: join(monitoring, '../components/alerts/prometheus-rule.yaml'),
      text: renderPrometheusRule(readFileSync(rulesFile, 'utf8')),
    },
  ]
}
