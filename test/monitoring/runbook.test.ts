/** Whoever an alert wakes finds what to do: every alert has its section in the runbook, and what it says to ask can be asked. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { connect } from '@postel/db/client'
import { createTestDatabase } from '@postel/db/testing/create-test-database'
import { alerts } from './rule-file.ts'

const runbook = readFileSync(join(import.meta.dirname, '../../k8s/monitoring/runbook.md'), 'utf8')
const sections = new Map(
  runbook
    .split(/^### /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')).trim(), section] as const),
)

test('every alert has a section, and every section an alert', () => {
  expect([...sections.keys()].sort()).toEqual([...alerts.keys()].sort())
})

test.each([...alerts])('%s says what happens, how bad it is, and where to read on', (name, rule) => {
  expect(['critical', 'warning', 'info']).toContain(rule.labels.severity)
  expect(rule.annotations.summary).toMatch(/^[A-Z][^{}]+[^.]$/)
  expect(rule.annotations.description).toMatch(/^.+\.$/s)
  expect(rule.annotations.runbook_url).toBe(`k8s/monitoring/runbook.md#${name.toLowerCase()}`)
})

test.each([...sections])(
  'the section %s says how bad it is, how to look, what to do, and what not',
  (name, section) => {
    for (const part of ['**Means.**', '**Look.**', '**Do.**', '**Do not.**']) expect(section).toContain(part)
    expect(section).toContain(`(${alerts.get(name)?.labels.severity})`)
  },
)

/** `explain` finds what does not exist or may not be asked, and changes nothing. */
test('every statement can be asked by an operator, or by the owner where it says so', async () => {
  const database = await createTestDatabase()
  const sql = connect(database.url, { name: 'runbook', max: 1 })
  try {
    const problems: string[] = []
    let asked = 0
    for (const paragraph of runbook.split('\n\n')) {
      for (const statement of statementsOf(paragraph)) {
        asked++
        const problem = await refusal(sql, statement, 'postel_operator')
        if (problem === null) continue
        const ofOwner = /the owner/i.test(paragraph) ? await refusal(sql, statement, null) : problem
        if (ofOwner !== null) problems.push(`${statement}: ${ofOwner}`)
      }
    }
    expect(problems).toEqual([])
    expect(asked).toBeGreaterThan(50)
  } finally {
    await sql.end({ timeout: 5 })
    await database.drop()
  }
})

function statementsOf(paragraph: string): string[] {
  return [...paragraph.replaceAll('\n', ' ').matchAll(/`((?:select|table) [^`]+)`/g)].map(
    ([, statement]) => statement!,
  )
}

const examples: [RegExp, string][] = [
  [/'<id>'/g, "'00000000-0000-7000-8000-000000000000'"],
  [/<(pid|id)>/g, '1'],
  [/'<(ip|from|to)>'/g, "'192.0.2.1'"],
  [/postel\.moderate\(…\)/g, "postel.moderate('a', 'b', 'c')"],
]

async function refusal(sql: ReturnType<typeof connect>, statement: string, role: string | null) {
  const filled = examples.reduce((text, [what, value]) => text.replace(what, value), statement)
  try {
    await sql.unsafe(`set role ${role ?? 'none'}; explain ${filled}`)
    return null
  } catch (error) {
    return (error as Error).message
  } finally {
    await sql.unsafe('reset role')
  }
}
