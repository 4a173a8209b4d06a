/** `.env.example` names every variable that any process reads, and no other, and states the defaults of the schemas. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from '@jest/globals'
import * as settings from '@postel/runtime/settings'

type Field = { safeParse(value: unknown): { success: boolean; data?: unknown } }
type Variable = { process: string; name: string; field: Field }
type Stated = { name: string; comment: string; value: string }

const root = fileURLToPath(new URL('..', import.meta.url))
/** What the system sets for every process. */
const notSettings = new Set(['PATH'])
/** Their defaults are the machine's. */
const ofTheMachine = new Set(['POSTEL_HOSTNAME', 'NODE_NAME'])

const variables = [...(await appVariables()), ...migrateVariables()]
const stated = readExample()
const names = new Set(variables.map(({ name }) => name))

/** Every schema that a config.ts exports: a new app is found by its file. */
async function appVariables(): Promise<Variable[]> {
  const files = globSync('apps/*/src/{config,agent/config}.ts', { cwd: root })
  const found: Variable[] = []
  for (const file of files) {
    const exported = Object.values(await import(pathToFileURL(join(root, file)).href)) as { shape?: object }[]
    const schemas = exported.filter((value) => value.shape !== undefined)
    expect({ file, schemas: schemas.length > 0 }).toEqual({ file, schemas: true })
    for (const { shape } of schemas)
      for (const [name, field] of Object.entries(shape!))
        if (!notSettings.has(name)) found.push({ process: programOf(file), name, field })
  }
  return found
}

function programOf(file: string): string {
  return file.includes('/agent/') ? 'ip-agent' : file.split('/')[1]!
}

/** db:migrate puts its schema together from these groups, and starts to work when it is imported. */
function migrateVariables(): Variable[] {
  return Object.values(settings).flatMap((group) =>
    Object.entries(group).map(([name, field]) => ({ process: 'migrate', name, field })),
  )
}

function readExample(): Stated[] {
  const found: Stated[] = []
  let comment = ''
  for (const line of readFileSync(join(root, '.env.example'), 'utf8').split('\n')) {
    const [, name, value] = /^#?([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? []
    if (name !== undefined) found.push({ name, comment, value: value! })
    comment = line
  }
  return found
}

/** The value, where the variable may be left out. */
function defaultOf({ field }: Variable): unknown {
  return field.safeParse(undefined).data
}

const isNothing = (value: unknown) => value === undefined || (Array.isArray(value) && value.length === 0)

/** What the example states for a process: some defaults are others under `npm start`. */
function statedFor({ process }: Variable, { comment, value }: Stated): string {
  const [, elsewhere] = /Without npm start: (\w+)\./.exec(comment) ?? []
  if (elsewhere === undefined || process === 'standalone') return value
  return elsewhere === 'none' ? '' : elsewhere
}

test('every variable of every schema is in .env.example, once', () => {
  expect(stated.map(({ name }) => name).sort()).toEqual([...names].sort())
})

test('every variable is commented out, with a comment of one line above it', () => {
  const lines = readFileSync(join(root, '.env.example'), 'utf8').split('\n')
  expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual([])
  expect(stated.filter(({ comment }) => !/^# \[[a-z -]+\] ./.test(comment))).toEqual([])
})

test.each(variables.map((variable) => [variable.process, variable.name, variable] as const))(
  'the stated default is that of the schema: %s %s',
  (_process, name, variable) => {
    const example = stated.find((entry) => entry.name === name)!
    const text = statedFor(variable, example)
    const fallback = defaultOf(variable)
    if (text === '') return expect(isNothing(fallback) || ofTheMachine.has(name)).toBe(true)
    expect(variable.field.safeParse(text)).toMatchObject({ success: true, data: fallback })
  },
)

test('the processes that read a variable are named in its comment', () => {
  const labels: Record<string, string> = { inbound: 'in', outbound: 'out' }
  const named = stated.map(({ name, comment }) => {
    const readers = /^# \[([a-z -]+)\]/.exec(comment)?.[1]?.split(' ') ?? []
    // psql is standalone's second program
    return { name, readers: new Set(readers.map((reader) => (reader === 'psql' ? 'standalone' : reader))) }
  })
  for (const { name, readers } of named) {
    for (const program of ['migrate', 'backup', 'restore']) readers.delete(program)
    if (readers.has('all')) continue
    const reading = variables.filter((variable) => variable.name === name && variable.process !== 'migrate')
    const expected = new Set(reading.map(({ process }) => labels[process] ?? process))
    expect({ name, readers: [...readers].sort() }).toEqual({ name, readers: [...expected].sort() })
  }
})
