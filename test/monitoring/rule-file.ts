/** The rule file, read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export const rulesFile = join(import.meta.dirname, '../../k8s/monitoring/rules/postel.rules.yaml')

export type Rule = {
  alert?: string
  record?: string
  expr: string
  for?: string
  labels: { severity?: string }
  annotations: { summary?: string; description?: string; runbook_url?: string }
}

export const groups: { name: string; rules: Rule[] }[] = parse(readFileSync(rulesFile, 'utf8')).groups

export const rules = groups.flatMap((group) => group.rules)

/** By name. */
export const alerts = new Map(
  rules.flatMap((rule) => (rule.alert === undefined ? [] : [[rule.alert, rule] as const])),
)
