/** The processes start with what the manifests give them: commands, variables, ports, probes. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { IContainer, IEnvVar } from 'kubernetes-models/v1'
import { givenSecrets } from '../given-secrets.ts'
import type { Rule } from '../lint.ts'
import {
  entryOf,
  type Manifest,
  ofKind,
  titleOf,
  variablesOf,
  type Workload,
  workloadsOf,
} from '../manifests.ts'
import { root } from '../render.ts'

const example = readFileSync(join(root, '.env.example'), 'utf8')

/** Variables of .env.example, and the processes that read each, by the words that stand there. */
const readers = new Map(
  [...example.matchAll(/^# \[([a-z -]+)\].*\n#([A-Z][A-Z0-9_]*)=/gm)].map(
    ([, words, name]) => [name!, words!.split(' ')] as const,
  ),
)

const mustBeSet = [...example.matchAll(/^# \[.*Must be set(?:, except[^.]*)?\.$\n#([A-Z][A-Z0-9_]*)=/gm)].map(
  ([, name]) => name!,
)

const isReadBy = (name: string, word: string) =>
  ['all', word].some((each) => readers.get(name)?.includes(each))

/** Of Node and of pg_dump. */
const ofPrograms = new Set(['NODE_EXTRA_CA_CERTS', 'PGSSLROOTCERT'])

/** The word in .env.example for the process that a file starts. */
function wordFor(entry: string): string | undefined {
  const app = /^apps\/([a-z-]+)\/src\/main\.ts$/.exec(entry)?.[1]
  const words: Record<string, string> = { inbound: 'in', outbound: 'out' }
  if (app) return words[app] ?? app
  const others: Record<string, string> = {
    'db/src/migrate-main.ts': 'migrate',
    'db/src/backup/main.ts': 'backup',
    'apps/api/src/admin/main.ts': 'api',
    'apps/ip-manager/src/agent/main.ts': 'ip-agent',
  }
  return others[entry]
}

const perContainer = (
  check: (
    container: IContainer,
    workload: Workload,
    manifests: readonly Manifest[],
  ) => string[] | Promise<string[]>,
): Rule => {
  return async (manifests) => {
    const found = workloadsOf(manifests).flatMap((workload) =>
      workload.containers.map(async (container) =>
        (await check(container, workload, manifests)).map(
          (problem) => `${workload.title}, container ${container.name}: ${problem}`,
        ),
      ),
    )
    return (await Promise.all(found)).flat()
  }
}

const commands = perContainer((container) => {
  const entry = entryOf(container)
  if (entry === undefined) return container.command || container.name === 'postgres' ? [] : ['has no command']
  return existsSync(join(root, entry)) ? [] : [`starts ${entry}, which is not there`]
})

const names: Rule = (manifests) =>
  ofKind(manifests, 'ConfigMap').flatMap((map) =>
    Object.keys(map.data ?? {})
      .filter((name) => /^[A-Z0-9_]+$/.test(name) && !readers.has(name))
      .map((name) => `${titleOf(map)}: ${name} is no variable of .env.example`),
  )

/** A variable that its process does not read is a mistake, and where it is a secret one that somebody else may use. */
const variables = perContainer((container) => {
  const entry = entryOf(container)
  const word = entry === undefined ? undefined : wordFor(entry)
  if (word === undefined) return []
  const used = referencesIn(container.env ?? [])
  return (container.env ?? [])
    .filter(({ name }) => !used.has(name) && !ofPrograms.has(name))
    .flatMap(({ name }) => {
      const known = readers.get(name)
      if (!known) return [`${name} is no variable of .env.example`]
      return isReadBy(name, word) ? [] : [`${name} is not read by it`]
    })
})

const repeated = perContainer(({ env = [] }) =>
  env
    .filter(({ name }, index) => env.findIndex((each) => each.name === name) !== index)
    .map(({ name }) => `${name} is given twice`),
)

function referencesIn(env: readonly IEnvVar[]): Set<string> {
  return new Set(
    env.flatMap(({ value = '' }) => [...value.matchAll(/\$\((\w+)\)/g)].map(([, name]) => name!)),
  )
}

/** Kubernetes puts in what stands before only, and leaves the text as it is where it finds nothing. */
const expansions = perContainer(({ env = [] }) =>
  env.flatMap(({ value = '', name }, index) =>
    [...value.matchAll(/\$\((\w+)\)/g)]
      .filter(([, other]) => !env.slice(0, index).some((each) => each.name === other))
      .map(([, other]) => `${name} refers to ${other}, which does not stand before it`),
  ),
)

/** $$ is Kubernetes' way to write $, in commands too. */
const dollars = perContainer(({ command = [], args = [], env = [] }) =>
  [...command, ...args, ...env.map(({ value = '' }) => value)]
    .filter((text) => /\$\$(?!\()/.test(text))
    .map((text) => `Kubernetes makes one $ of two in: ${text.slice(0, 40)}`),
)

/** The app's own reading of its configuration accepts it, without and with all that is optional. */
const configurations = perContainer(async (container, workload, manifests) => {
  const file = join(root, (entryOf(container) ?? '').replace(/main\.ts$/, 'config.ts'))
  if (!file.endsWith('config.ts') || !existsSync(file)) return []
  const { readConfig } = (await import(pathToFileURL(file).href)) as {
    readConfig: (env: NodeJS.ProcessEnv) => unknown
  }
  const all = variablesOf(container, workload.namespace, manifests)
  return [false, true].flatMap((withOptional) => {
    try {
      readConfig(environment(all, workload.namespace, withOptional))
      return []
    } catch (error) {
      return (error as Error).message
        .split('\n')
        .slice(1)
        .map((line) => line.trim())
    }
  })
})

/** What .env.example says of a variable without a default: those of programs that have no config.ts. */
const required = perContainer((container, workload, manifests) => {
  const word = wordFor(entryOf(container) ?? '')
  if (!word) return []
  const always = variablesOf(container, workload.namespace, manifests)
    .filter(({ valueFrom }) => !valueFrom?.secretKeyRef?.optional)
    .map(({ name }) => name)
  return mustBeSet
    .filter((name) => isReadBy(name, word) && !always.includes(name))
    .map((name) => `${name} must be set`)
})

/** As a process would get it: samples for the Secrets and for what the node tells. */
function environment(all: readonly IEnvVar[], namespace: string, withOptional: boolean): NodeJS.ProcessEnv {
  const env: Record<string, string> = {}
  for (const { name, value, valueFrom } of all) {
    const reference = valueFrom?.secretKeyRef
    if (reference) {
      const key = givenSecrets[`${namespace}/${reference.name}`]?.[reference.key]
      if (key && (withOptional || !key.optional)) env[name] = key.sample
    } else if (valueFrom?.fieldRef)
      env[name] = valueFrom.fieldRef.fieldPath.endsWith('IP') ? '192.0.2.1' : 'node-1'
    else env[name] = (value ?? '').replace(/\$\((\w+)\)/g, (text, other) => env[other] ?? text)
  }
  return env
}

/** Installations are told apart by these, and their defaults are a pod's own name and localhost. */
const installation = perContainer((container, workload, manifests) => {
  const word = wordFor(entryOf(container) ?? '')
  if (!word || !workload.isService) return []
  const given = new Set(variablesOf(container, workload.namespace, manifests).map(({ name }) => name))
  return ['POSTEL_HOSTNAME', 'POSTEL_PUBLIC_URL', 'NODE_NAME']
    .filter((name) => readers.get(name)?.includes(word) && !given.has(name))
    .map((name) => `${name} is not given`)
})

/** livez never asks the database, readyz does, and has 5 s for it. */
const probes = perContainer((container, workload, manifests) => {
  if (!workload.isService || !entryOf(container)) return []
  const { startupProbe, livenessProbe, readinessProbe } = container
  const wanted = [
    ['startup', startupProbe, '/livez'],
    ['liveness', livenessProbe, '/livez'],
    ['readiness', readinessProbe, '/readyz'],
  ] as const
  return [
    ...wanted.flatMap(([kind, probe, path]) => {
      if (!probe?.httpGet) return [`has no ${kind} probe`]
      return [
        ...(probe.httpGet.path === path ? [] : [`its ${kind} probe asks ${probe.httpGet.path}, not ${path}`]),
        ...(probedPort(container, probe.httpGet.port) === healthPort(container, workload, manifests)
          ? []
          : [`its ${kind} probe asks a port that does not answer health`]),
      ]
    }),
    ...((readinessProbe?.timeoutSeconds ?? 1) > 5
      ? []
      : ['its readiness probe gives up before /readyz does']),
  ]
})

function probedPort({ ports = [] }: IContainer, port: string | number): number | undefined {
  return typeof port === 'number' ? port : ports.find(({ name }) => name === port)?.containerPort
}

function healthPort(container: IContainer, { namespace }: Workload, manifests: readonly Manifest[]): number {
  const values = new Map(variablesOf(container, namespace, manifests).map(({ name, value }) => [name, value]))
  return Number(values.get('HEALTH_PORT') ?? values.get('METRICS_PORT') ?? defaultOf('METRICS_PORT'))
}

/** The ports that a container names are those that its process listens on. */
const ports = perContainer((container, workload, manifests) => {
  const variable: Record<string, string> = {
    http: 'API_PORT',
    metrics: 'METRICS_PORT',
    mx: 'SMTP_MX_PORT',
    'agent-metrics': 'METRICS_PORT',
    submission: 'SMTP_SUBMISSION_PORT',
    submissions: 'SMTP_SUBMISSIONS_PORT',
  }
  if (!entryOf(container)) return []
  const values = new Map(
    variablesOf(container, workload.namespace, manifests).map(({ name, value }) => [name, value]),
  )
  return (container.ports ?? []).flatMap(({ name = '', containerPort }) => {
    const setting = variable[name]
    if (!setting) return [`nothing says what the port ${name} is for`]
    const actual = values.get(setting) ?? defaultOf(setting)
    return String(containerPort) === actual
      ? []
      : [`its port ${name} is ${containerPort}, and ${setting} ${actual}`]
  })
})

function defaultOf(name: string): string | undefined {
  return new RegExp(`^#${name}=(.*)$`, 'm').exec(example)?.[1]
}

/** The process could not write its files into a folder that is not there for it. */
const files = perContainer((container, { namespace }, manifests) =>
  variablesOf(container, namespace, manifests)
    .filter(({ name, value }) => name.endsWith('_FILE') && value)
    .filter(
      ({ value }) =>
        !(container.volumeMounts ?? []).some(({ mountPath }) => value!.startsWith(`${mountPath}/`)),
    )
    .map(({ name, value }) => `${name} is ${value}, where nothing is mounted`),
)

/** Two namespaces, one installation. */
const sameEverywhere: Rule = (manifests) => {
  const maps = ['postel', 'postel-outbound'].map(
    (namespace) =>
      ofKind(manifests, 'ConfigMap').find(
        ({ metadata }) => metadata.namespace === namespace && metadata.name.startsWith('postel'),
      )?.data,
  )
  return JSON.stringify(maps[0]) === JSON.stringify(maps[1])
    ? []
    : ['ConfigMap postel: differs from the one in postel-outbound']
}

export const settingsRules: readonly Rule[] = [
  commands,
  names,
  variables,
  repeated,
  expansions,
  dollars,
  configurations,
  required,
  installation,
  probes,
  ports,
  files,
  sameEverywhere,
]
