/** Every alert fires when it must, says what it should, and is silent otherwise: the rules evaluated by Prometheus's own promtool. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { alertCases } from './alert-cases.ts'
import { type AlertCase, longest, type Series } from './cases/series.ts'
import { alerts, rules, rulesFile } from './rule-file.ts'

const hasPromtool = spawnSync('promtool', ['--version']).status === 0
const withPromtool = hasPromtool ? test : test.skip
const how = hasPromtool ? '' : ' [needs promtool, of the Debian package prometheus]'

withPromtool(`promtool finds nothing wrong with the rules${how}`, () => {
  const said = execFileSync('promtool', ['check', 'rules', '--lint-fatal', rulesFile], { encoding: 'utf8' })
  expect(said).toContain('SUCCESS')
})

test('every alert has a case, and every case an alert', () => {
  expect(Object.keys(alertCases).sort()).toEqual([...alerts.keys()].sort())
})

const guarantee =
  'every alert fires at its minute with its words, not before, and not for what only looks like it'
withPromtool(`${guarantee}${how}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'postel-rules-'))
  try {
    const files = Object.entries(alertCases).map(([name, each]) => writeCase(folder, name, each))
    const run = spawnSync('promtool', ['test', 'rules', ...files], { encoding: 'utf8' })
    const failed = run.stdout.split(/^Unit Testing: /m).filter((part) => part.includes('FAILED'))
    expect(failed.join('') + run.stderr).toBe('')
    expect(run.stdout.match(/SUCCESS/g)).toHaveLength(files.length)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** A test file of promtool and the rules that it needs: all of them at each minute would take minutes. JSON is YAML. */
function writeCase(folder: string, name: string, each: AlertCase): string {
  const rule = alerts.get(name)!
  const recording = rules.filter(({ record }) => record !== undefined && rule.expr.includes(record))
  const ruleFile = join(folder, `${name}.rules.yaml`)
  const groups = [
    { name: 'first', rules: recording },
    { name: 'second', rules: [rule] },
  ]
  writeFileSync(ruleFile, JSON.stringify({ groups }))
  const tests = [
    firing(name, each),
    ...Object.entries(each.quiet).map(([why, series]) => silent(name, why, series, each.at)),
  ]
  const file = join(folder, `${name}.test.yaml`)
  const order = groups.map((group) => group.name)
  writeFileSync(
    file,
    JSON.stringify({
      rule_files: [ruleFile],
      evaluation_interval: '1m',
      group_eval_order: order,
      tests,
    }),
  )
  return file
}

/** Without the samples after the last look, which promtool would store for nothing. */
const input = (series: Series, until: number) =>
  Object.entries(series).map(([name, values]) => ({
    series: name,
    values: values.replace(`x${longest}`, `x${until}`),
  }))

function firing(alertname: string, { series, at, labels, says }: AlertCase) {
  const rule = alerts.get(alertname)!
  const expected = {
    exp_labels: { ...rule.labels, ...labels },
    exp_annotations: { ...rule.annotations, description: says },
  }
  return {
    name: `${alertname} fires`,
    interval: '1m',
    input_series: input(series, at),
    alert_rule_test: [
      ...(at > 0 ? [{ alertname, eval_time: `${at - 1}m`, exp_alerts: [] }] : []),
      { alertname, eval_time: `${at}m`, exp_alerts: [expected] },
    ],
  }
}

function silent(alertname: string, why: string, series: Series, at: number) {
  return {
    name: `${alertname} is silent: ${why}`,
    interval: '1m',
    input_series: input(series, at + 10),
    alert_rule_test: [at, at + 10].map((minute) => ({ alertname, eval_time: `${minute}m`, exp_alerts: [] })),
  }
}
