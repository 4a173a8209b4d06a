// compose.yaml names what there is: images, commands, variables, volumes; and every container is locked down and watched.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'

type Service = {
  image: string
  build?: string
  command: string[]
  user: string
  read_only: boolean
  cap_drop: string[]
  cap_add?: string[]
  privileged?: boolean
  security_opt: string[]
  restart: string
  network_mode?: string
  environment: Record<string, string>
  env_file?: { path: string; required: boolean }[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
  ports?: string[]
  volumes?: string[]
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const text = readFileSync(join(root, 'compose.yaml'), 'utf8')
const compose = parse(text, { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, unknown>
}
const { postgres, ...ours } = compose.services as Record<string, Service> & { postgres: Service }
const all = Object.entries(compose.services)
const apps = ['inbound', 'api', 'outbound', 'worker']
const example = readFileSync(join(root, '.env.example'), 'utf8')
const header = text.slice(0, text.indexOf('\nname:'))

test('Postgres, the migration and the four apps are there', () => {
  expect(Object.keys(compose.services).sort()).toEqual(['postgres', 'migrate', ...apps].sort())
})

test.each(Object.entries(ours))('%s runs a program of the image that is built here', (name, service) => {
  expect(service).toMatchObject({ image: `$${'{POSTEL_IMAGE:-postel:latest}'}`, build: '.' })
  expect(service.command[0]).toBe('node')
  expect(existsSync(join(root, service.command[1]!))).toBe(true)
  if (name !== 'migrate') expect(service.command).toEqual(['node', `apps/${name}/src/main.ts`])
})

test.each(Object.entries(ours))('%s is given variables that there are', (_name, { environment }) => {
  for (const variable of Object.keys(environment)) expect(example).toMatch(new RegExp(`^#${variable}=`, 'm'))
})

test('what must be set in .env is what the header says, and nothing of it has a value here', () => {
  const body = text.slice(header.length)
  const required = new Set([...body.matchAll(/\$\{(\w+):\?[^}]*\}/g)].map(([, name]) => name!))
  const stated = new Set([...header.matchAll(/^# {6}(\w+)=/gm)].map(([, name]) => name!))
  for (const name of required) expect([...stated]).toContain(name)
  for (const name of stated) expect(body).toContain(`\${${name}:`)
  expect(body).not.toMatch(/(PASSWORD|SECRET|TOKEN|KEY): (?!\$\{)/)
})

test('the owner’s password reaches Postgres and the migration alone', () => {
  const holders = all.filter(([, service]) =>
    JSON.stringify(service.environment).includes('{POSTGRES_PASSWORD'),
  )
  expect(holders.map(([name]) => name).sort()).toEqual(['migrate', 'postgres'])
  const login = readFileSync(join(root, 'db/create-app-role.sh'), 'utf8')
  for (const name of apps) {
    const url = ours[name]!.environment.DATABASE_URL!
    expect(url).toMatch(/^postgres:\/\/postel_login:\$\{POSTEL_APP_PASSWORD/)
  }
  expect(login).toMatch(/create role postel_login login in role postel_app/)
})

test.each(all)('%s is locked down', (_name, service) => {
  expect(service).toMatchObject({
    read_only: true,
    cap_drop: ['ALL'],
    security_opt: ['no-new-privileges:true'],
    user: expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/),
    logging: { driver: 'json-file', options: { 'max-size': expect.any(String) } },
  })
  expect(service).not.toHaveProperty('cap_add')
  expect(service).not.toHaveProperty('privileged')
})

test.each(all.filter(([name]) => name !== 'migrate'))(
  '%s is watched, and started again',
  (_name, service) => {
    expect(service.healthcheck?.test[0]).toBe('CMD')
    expect(service.restart).toBe('unless-stopped')
  },
)

test.each(apps)('%s starts after the migration', (name) => {
  expect(ours[name]!.depends_on).toEqual({
    postgres: { condition: 'service_healthy' },
    migrate: { condition: 'service_completed_successfully' },
  })
})

test('Postgres keeps what it has accepted: durable settings, a volume, and no address but loopback', () => {
  expect(postgres.command).toEqual(
    expect.arrayContaining(['-cfsync=on', '-cfull_page_writes=on', '-csynchronous_commit=on']),
  )
  const [data] = postgres.volumes!
  expect(Object.keys(compose.volumes)).toContain(data!.split(':')[0])
  expect(data!.split(':')[1]).toBe('/var/lib/postgresql')
  expect(postgres.ports!.every((port) => port.startsWith('127.0.0.1:'))).toBe(true)
})

test('every file that is mounted from here exists, but for the certificates', () => {
  const mounted = all.flatMap(([, { volumes = [] }]) => volumes).map((volume) => volume.split(':')[0]!)
  for (const path of mounted.filter((each) => each.startsWith('.') && each !== './tls'))
    expect({ path, exists: existsSync(join(root, path)) }).toEqual({ path, exists: true })
})

test('the ports that are published are those that the apps listen on', () => {
  const listened = new Set(
    [...example.matchAll(/^#(SMTP_\w+_PORT|API_PORT)=(\d+)$/gm)].map(([, , port]) => port!),
  )
  for (const name of ['inbound', 'api'])
    for (const port of ours[name]!.ports!) expect([...listened]).toContain(port.split(':').at(-1))
  expect(ours.outbound).toMatchObject({ network_mode: 'host', environment: { METRICS_HOST: '127.0.0.1' } })
  expect(ours.outbound).not.toHaveProperty('ports')
})
