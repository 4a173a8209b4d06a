// The image holds what production runs and nothing else: which files reach the build, and what is done with them.
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'

const root = fileURLToPath(new URL('../..', import.meta.url))
const names = ['Dockerfile', 'Dockerfile.agent', 'Dockerfile.backup'] as const

type Instruction = { word: string; rest: string }

function instructions(name: string): Instruction[] {
  return readFileSync(join(root, name), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^\s*#/.test(line))
    .join('\n')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => ({ word: line.split(' ')[0]!, rest: line.slice(line.indexOf(' ') + 1).trim() }))
}

const of = (name: string, word: string) =>
  instructions(name)
    .filter((each) => each.word === word)
    .map(({ rest }) => rest)

test.each(names)('%s names its base images by arguments', (name) => {
  const given = of(name, 'ARG').map((rest) => rest.split('=')[0])
  const bases = of(name, 'FROM')
  expect(bases.length).toBeGreaterThan(0)
  for (const base of bases) {
    const [, argument] = /^\$\{(\w+)\}( AS \w+)?$/.exec(base) ?? []
    expect(given).toContain(argument)
  }
})

test.each(names)('%s ends as a user that is not root, by number', (name) => {
  expect(of(name, 'USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/)
})

test.each(names)('%s takes no secret and names no registry', (name) => {
  const text = readFileSync(join(root, name), 'utf8')
  expect(of(name, 'ARG').concat(of(name, 'ENV')).join('\n')).not.toMatch(/secret|token|passw|auth/i)
  expect(text.replaceAll(/^#.*$/gm, '')).not.toMatch(/https?:\/\/|npmrc|registry\.\w/i)
})

test('dependencies are installed as the lockfile has them, and run nothing while they are', () => {
  const installs = of('Dockerfile', 'RUN').filter((line) => /\bnpm\b/.test(line))
  expect(installs).toHaveLength(1)
  for (const part of ['npm ci', '--ignore-scripts', '--omit=dev', '--omit=optional', '--omit=peer'])
    expect(installs[0]).toContain(part)
  expect(installs[0]).not.toMatch(/npm (install|i|exec|run)\b/)
})

test('every workspace has its package.json copied, and every one that production runs is installed', () => {
  const manifests = globSync(
    ['apps/*/package.json', 'apps/lib/*/package.json', 'db/package.json', 'test/package.json'],
    {
      cwd: root,
    },
  ).sort()
  const copies = of('Dockerfile', 'COPY')
  expect(copies.filter((line) => line.includes('/package.json ')).sort()).toEqual(
    manifests.map((path) => `${path} ${dirname(path)}/`),
  )
  const installed = [...of('Dockerfile', 'RUN')[0]!.matchAll(/ -w (\S+)/g)].map(([, path]) => path!)
  expect(installed.sort()).toEqual(
    manifests.map((path) => dirname(path)).filter((path) => path !== 'test' && path !== 'apps/standalone'),
  )
})

/** Whether .dockerignore lets a file through: the last line that matches it, or a directory above it, decides. */
function reaches(path: string): boolean {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
  const above = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))
  let ignored = false
  for (const line of lines) {
    const pattern = line.replace(/^!/, '')
    if (above.some((each) => matchesGlob(each, pattern))) ignored = !line.startsWith('!')
  }
  return !ignored
}

test('only what production runs reaches the build', () => {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
  const reaching = files.filter(reaches)
  expect(reaching.length).toBeGreaterThan(300)
  const wrong =
    /(^|\/)(node_modules|testing|bench|\.env|\.git|\.postel)(\/|$)|\.test\.ts$|\/testing\.ts$|^test\/(?!package\.json$)|^k8s\/|^apps\/standalone\/(?!package\.json$)|embedded/
  expect(reaching.filter((path) => wrong.test(path))).toEqual([])
  for (const path of [
    '.env',
    '.npmrc',
    '.postel/secret',
    'tls/tls.key',
    'apps/api/.env',
    'apps/api/src/.npmrc',
  ])
    expect({ path, reaches: reaches(path) }).toEqual({ path, reaches: false })
  // All of the programs, and what the digest of the schema is made of
  for (const path of files.filter((each) =>
    /^apps\/(?!standalone\/)[^/]+\/src\/(.*\/)?main\.ts$|^db\/(functions|migrations)\/.*\.sql$/.test(each),
  ))
    expect({ path, reaches: reaches(path) }).toEqual({ path, reaches: true })
})

test('nothing that reaches the image imports what does not', () => {
  const imports = /(?:from|import) '(\.{1,2}\/[^']+)'/g
  const sources = globSync(['apps/*/src/**/*.ts', 'apps/lib/*/src/**/*.ts', 'db/src/**/*.ts'], {
    cwd: root,
  }).filter(reaches)
  expect(sources.length).toBeGreaterThan(200)
  const missing = sources.flatMap((path) =>
    [...readFileSync(join(root, path), 'utf8').matchAll(imports)]
      .map(([, target]) => join(dirname(path), target!))
      .filter((target) => !reaches(target))
      .map((target) => `${path} → ${target}`),
  )
  const workspaces = sources.filter((path) =>
    /from '@postel\/[a-z-]+\/(testing|embedded)\b/.test(readFileSync(join(root, path), 'utf8')),
  )
  expect([...missing, ...workspaces]).toEqual([])
})
