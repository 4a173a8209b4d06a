/** Rules and dashboards use only metrics that the apps make, with labels that these have, so that none is silently without data. */
import { expect, test } from '@jest/globals'
import { problemOf } from './app-metrics.ts'
import { dashboards, expressionsOf, queriesOf, withValues } from './dashboard-file.ts'
import { readExpression } from './promql.ts'
import { alerts, rules } from './rule-file.ts'

const recorded = new Set(rules.flatMap(({ record }) => record ?? []))

/** Labels of groupings count for each metric of the expression that has a matcher-less way to them: for at least one. */
function problemsOf(text: string): string[] {
  const { selectors, groupings } = readExpression(text)
  const ofMetrics = selectors.filter(({ metric }) => !recorded.has(metric))
  const problems = ofMetrics.flatMap(
    ({ metric, matchers }) =>
      problemOf(
        metric,
        matchers.map(({ label }) => label),
      ) ?? [],
  )
  const unused = groupings.filter(
    (label) => ofMetrics.length > 0 && ofMetrics.every(({ metric }) => problemOf(metric, [label]) !== null),
  )
  return [...problems, ...unused.map((label) => `nothing in it has the label ${label}`)].map(
    (problem) => `${problem}: ${text}`,
  )
}

test.each(rules.map((rule) => [rule.alert ?? rule.record!, rule.expr]))(
  'the rule %s is of metrics that exist',
  (_, expr) => {
    expect(problemsOf(expr)).toEqual([])
  },
)

test('every recording rule is used', () => {
  const used = new Set(
    [...alerts.values()].flatMap(({ expr }) => readExpression(expr).selectors.map(({ metric }) => metric)),
  )
  expect([...recorded].filter((name) => !used.has(name))).toEqual([])
})

test.each(dashboards.map((dashboard) => [dashboard.title, dashboard] as const))(
  'the dashboard %s is of metrics that exist',
  (_, dashboard) => {
    const expressions = expressionsOf(dashboard)
    expect(expressions.length).toBeGreaterThan(5)
    expect(expressions.flatMap((text) => problemsOf(withValues(text)))).toEqual([])
  },
)

test('a name that no app makes, a label that a metric has not, and what is no PromQL are found', () => {
  expect(problemsOf('rate(postel_delivered_total[5m])')).toHaveLength(1)
  expect(problemsOf('sum by (colour) (postel_ips)')).toHaveLength(1)
  expect(problemsOf('postel_ready{colour="red"}')).toHaveLength(1)
  expect(() => problemsOf('sum by (ip postel_ips')).toThrow('not PromQL')
})

test('every choice of a dashboard is made from a metric that exists', () => {
  const queries = dashboards.flatMap(queriesOf)
  expect(queries.length).toBeGreaterThan(5)
  for (const { metric, label } of queries) expect(problemOf(metric, [label])).toBeNull()
})
