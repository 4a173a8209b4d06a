/** fairness: what one dead or slow domain, one project's flood or an outage's backlog does to the others' mail. */
import type { ParseArgsOptionsConfig } from 'node:util'
import type { Cleanup } from './cleanup.ts'
import { type Disturbance, flood, outage } from './disturbances.ts'
import { runScenario, type ScenarioFigures } from './fairness-run.ts'
import { count, type Flags, UsageError } from './flags.ts'
import {
  blackholeDomain,
  countedDomains,
  deadDomain,
  deadDomains,
  goodDomains,
  slowDomain,
} from './remotes.ts'
import { figure, machine, printTable, progress, rounded } from './report.ts'
import { findTool } from './tools.ts'

export const usage =
  'fairness [--seconds 30] [--rate 50] [--share 90] [--backlog 10000] [--outage 100000] [--only NAME,NAME] [--json]'

export const flags = {
  seconds: { type: 'string', default: '30' },
  rate: { type: 'string', default: '50' },
  share: { type: 'string', default: '90' },
  backlog: { type: 'string', default: '10000' },
  outage: { type: 'string', default: '100000' },
  only: { type: 'string' },
  json: { type: 'boolean', default: false },
} satisfies ParseArgsOptionsConfig

type Scenario = { name: string; title: string; priority: number; disturbance: () => Disturbance }

/** Until a flood's first effects are over: connections refused, sites left alone, lanes filled. */
const settleSeconds = 5

/** Runs the scenarios one by one; resolves with false when any of the others' mail was lost or sent twice. */
export async function run(given: Flags, cleanup: Cleanup): Promise<boolean> {
  const seconds = count(given, 'seconds', 1, 3600)
  const rate = count(given, 'rate', 1, 10_000)
  const share = count(given, 'share', 1, 99)
  const backlog = count(given, 'backlog', 0, 10_000_000)
  const outageMessages = count(given, 'outage', 1, 10_000_000)
  const perSecond = Math.round((rate * share) / (100 - share))
  findTool('smtp-sink')

  const flooding = (name: string, title: string, domains: readonly string[], priority = 50): Scenario => ({
    name,
    title,
    priority,
    disturbance: () => flood({ domains, perSecond, backlog, seconds, settleSeconds }),
  })
  const all: Scenario[] = [
    flooding('load', 'the same load to other domains, all well', countedDomains),
    flooding('dead', 'a dead domain', [deadDomain]),
    flooding('blackhole', 'a domain that never greets', [blackholeDomain]),
    flooding('slow', 'a domain that takes 30 s', [slowDomain]),
    flooding('dead-many', '1,000 dead domains', deadDomains),
    flooding('project', 'a project, to the same domains', goodDomains),
    flooding('newsletter', 'a newsletter, to the same domains', goodDomains, 90),
    {
      name: 'outage',
      title: `${outageMessages.toLocaleString('en-US')} due at once`,
      priority: 50,
      disturbance: () => outage(outageMessages),
    },
  ]
  const results: (Scenario & { figures: ScenarioFigures })[] = []
  for (const scenario of chosen(all, given.only as string | undefined)) {
    progress(`${scenario.name}: ${scenario.title}`)
    const figures = await runScenario(cleanup, {
      disturbance: scenario.disturbance(),
      priority: scenario.priority,
      othersPerSecond: rate,
      floodPerSecond: perSecond,
      aloneSeconds: seconds,
    })
    progress(
      `${scenario.name}: p95 ${figure(figures.alone.p95_ms)} ms alone, ${figure(figures.disturbed.p95_ms)} ms disturbed`,
    )
    results.push({ ...scenario, figures })
  }

  // What the load alone costs, wherever it goes, is no matter of fairness
  const load = results.find(({ name }) => name === 'load')?.figures.disturbed.p95_ms
  const sum = (key: 'refused' | 'lost' | 'late' | 'duplicated') =>
    results.reduce((total, { figures }) => total + figures[key], 0)
  const result = {
    worst_ratio: Math.max(...results.map(({ figures }) => figures.ratio)),
    ratios: Object.fromEntries(results.map(({ name, figures }) => [name, figures.ratio])),
    refused: sum('refused'),
    lost: sum('lost'),
    late: sum('late'),
    duplicated: sum('duplicated'),
    scenarios: results.map(({ name, figures }) => ({
      name,
      ...figures,
      ...(load !== undefined && { to_load: figures.disturbed.p95_ms / load }),
    })),
  }
  console.log(
    `\nfairness: the others send ${rate} messages/s of 4 KiB to ${goodDomains.length} domains; ` +
      `${share}% of all mail is the disturber's, and a backlog of ${backlog.toLocaleString('en-US')}; ${seconds} s each\n${machine()}\n`,
  )
  print(results, load)
  if (given.json) console.log(JSON.stringify(rounded(result)))
  if (result.lost > 0 || result.duplicated > 0)
    console.error(`Of the others' mail ${result.lost} were lost and ${result.duplicated} came twice.`)
  return result.lost === 0 && result.duplicated === 0
}

function chosen(all: readonly Scenario[], only: string | undefined): Scenario[] {
  if (only === undefined) return [...all]
  return only.split(',').map((name) => {
    const scenario = all.find((candidate) => candidate.name === name)
    if (!scenario) throw new UsageError(`--only must name some of ${all.map((each) => each.name).join(', ')}`)
    return scenario
  })
}

function print(
  results: readonly (Scenario & { figures: ScenarioFigures })[],
  load: number | undefined,
): void {
  printTable([
    [
      'in the way',
      'alone p50 ms',
      'p95 ms',
      'disturbed p50 ms',
      'p95 ms',
      '250 p95 ms',
      'ratio of p95',
      'to the load',
      'CPUs busy',
      'lost',
      'late',
      'dup',
    ],
    ...results.map(({ title, figures: { alone, disturbed, ratio, lost, late, duplicated } }) => [
      title,
      figure(alone.p50_ms),
      figure(alone.p95_ms),
      figure(disturbed.p50_ms),
      figure(disturbed.p95_ms),
      figure(disturbed.submission_p95_ms),
      figure(ratio),
      figure(load && disturbed.p95_ms / load),
      figure(Object.values(disturbed.cores).reduce((total, value) => total + value, 0)),
      `${lost}`,
      `${late}`,
      `${duplicated}`,
    ]),
  ])
  for (const { title, figures } of results)
    console.log(
      `  ${title}: ${Object.entries(figures.disturbance)
        .map(([name, value]) => `${name} ${figure(value)}`)
        .join(', ')}`,
    )
}
