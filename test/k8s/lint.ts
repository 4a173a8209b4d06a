/** The mistakes that Kubernetes' schema does not see. */
import type { Manifest } from './manifests.ts'
import { networkRules } from './rules/network.ts'
import { referenceRules } from './rules/references.ts'
import { rolloutRules } from './rules/rollout.ts'
import { securityRules } from './rules/security.ts'
import { settingsRules } from './rules/settings.ts'
import { schemaProblems } from './schema.ts'

/** What is wrong, a line each: the object, then the mistake. */
export type Rule = (manifests: readonly Manifest[]) => string[] | Promise<string[]>

const rules: readonly Rule[] = [
  ...referenceRules,
  ...securityRules,
  ...settingsRules,
  ...rolloutRules,
  ...networkRules,
]

/** All problems of manifests that are applied together, in no order. Nothing means that a cluster can run them. */
export async function lint(manifests: readonly Manifest[]): Promise<string[]> {
  const schema = (await Promise.all(manifests.map(schemaProblems))).flat()
  // The rules take the shape for granted
  if (schema.length > 0) return schema
  return (await Promise.all(rules.map((rule) => rule(manifests)))).flat()
}
