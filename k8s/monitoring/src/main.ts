/**
 * `npm run monitoring`: writes the dashboards' JSON and the PrometheusRule. With `--check` it writes nothing and ends with 1 when one of
 * them is not up to date, or a dashboard lies there that is made from nothing, naming it.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { dashboardFolder, generated } from './generated.ts'

const files = generated()

if (process.argv.includes('--check')) {
  const stale = files
    .filter(({ path, text }) => !existsSync(path) || readFileSync(path, 'utf8') !== text)
    .map(({ path }) => path)
  const made = new Set(files.map(({ path }) => path))
  const foreign = readdirSync(dashboardFolder)
    .map((name) => join(dashboardFolder, name))
    .filter((path) => path.endsWith('.json') && !made.has(path))
  for (const path of [...stale, ...foreign])
    console.error(`${relative(process.cwd(), path)} is not what npm run monitoring makes`)
  process.exitCode = stale.length + foreign.length === 0 ? 0 : 1
} else for (const { path, text } of files) writeFileSync(path, text)
