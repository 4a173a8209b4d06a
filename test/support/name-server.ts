/**
 * An authoritative name server for `test.` whose records a test sets: a real one (Knot DNS) where this machine has it, and ours
 * everywhere.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FakeDns, type Zone } from './fake-dns.ts'
import { waitFor } from './wait-for.ts'

export type Records = Record<string, Pick<Zone, 'MX' | 'A' | 'AAAA' | 'TXT' | 'CNAME'>>

export type NameServer = {
  /** For DNS_SERVERS. */
  address: string
  /** From now on these are all records, by name below `test`. */
  set(records: Records): Promise<void>
  /** It answers nothing that could be used; or does again. */
  fail(failing: boolean): Promise<void>
  stop(): Promise<void>
}

const knotd = ['/usr/sbin/knotd', '/usr/local/sbin/knotd', '/usr/bin/knotd'].find((path) => existsSync(path))

/** By the name under which tests show them. */
export const nameServers: readonly (readonly [string, () => Promise<NameServer>])[] = [
  ['a name server of ours', startOurs],
  ...(knotd === undefined ? [] : [['Knot DNS', () => startKnotSomewhere(knotd)] as const]),
]

async function startOurs(): Promise<NameServer> {
  const dns = await FakeDns.start()
  let records: Records = {}
  let failing = false
  const apply = () => {
    dns.zones = failing ? failingZones : records
  }
  // Whatever is asked for
  const failingZones = new Proxy<Record<string, Zone>>({}, { get: () => ({ fails: 'SERVFAIL' }) })
  return {
    address: dns.address,
    set: async (next) => {
      records = next
      apply()
    },
    fail: async (now) => {
      failing = now
      apply()
    },
    stop: () => dns.stop(),
  }
}

/** Another program may have taken its port before it has. */
async function startKnotSomewhere(program: string): Promise<NameServer> {
  for (let tries = 0; ; tries++) {
    try {
      return await startKnot(program)
    } catch (error) {
      if (tries === 20 || !/cannot bind/.test(String(error))) throw error
    }
  }
}

async function startKnot(program: string): Promise<NameServer> {
  const directory = await mkdtemp(join(tmpdir(), 'postel-knot-'))
  const port = await freePort()
  const address = `127.0.0.1:${port}`
  const config = join(directory, 'knot.conf')
  const socket = join(directory, 'knot.sock')
  await writeFile(
    config,
    [
      'server:',
      `  rundir: "${directory}"`,
      `  listen: 127.0.0.1@${port}`,
      '  udp-workers: 1',
      '  tcp-workers: 1',
      '  background-workers: 1',
      'control:',
      `  listen: "${socket}"`,
      'log:',
      '  - target: stderr',
      '    any: error',
      'database:',
      `  storage: "${directory}"`,
      'zone:',
      '  - domain: test',
      `    file: "${join(directory, 'test.zone')}"`,
      '    journal-content: none',
      '    zonefile-load: whole',
      '',
    ].join('\n'),
  )
  let serial = 1
  const write = (records: Records) => writeFile(join(directory, 'test.zone'), zoneFile(records, serial++))
  await write({})
  const child = spawn(program, ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.on('data', (text: Buffer) => {
    log += text.toString()
  })
  const exited = once(child, 'exit')
  // It has said why
  let closed = false
  child.once('close', () => {
    closed = true
  })
  const stop = async () => {
    child.kill('SIGKILL')
    await exited
    await rm(directory, { recursive: true, force: true })
  }
  const resolver = new Resolver({ timeout: 200, tries: 1 })
  resolver.setServers([address])
  const serves = async (wanted: number) => (await resolver.resolveSoa('test')).serial === wanted
  try {
    await waitFor(() => closed || serves(serial - 1), 20)
    if (closed) throw new Error(`it has exited with ${child.exitCode}`)
  } catch (error) {
    await stop()
    throw new Error(`knotd does not answer: ${log}`, { cause: error })
  }
  return {
    address,
    set: async (records) => {
      await write(records)
      execFileSync(program.replace(/knotd$/, 'knotc'), ['-s', socket, 'zone-reload', 'test'], {
        stdio: 'ignore',
      })
      await waitFor(() => serves(serial - 1), 20)
    },
    fail: async (failing) => signal(child, failing ? 'SIGSTOP' : 'SIGCONT'),
    stop,
  }
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  child.kill(name)
}

function zoneFile(records: Records, serial: number): string {
  const lines = [
    '$TTL 1',
    `test. SOA ns.test. admin.test. ${serial} 3600 900 86400 1`,
    'test. NS ns.test.',
    'ns.test. A 127.0.0.1',
  ]
  for (const [name, { MX = [], A = [], AAAA = [], TXT = [], CNAME }] of Object.entries(records)) {
    for (const [preference, exchange] of MX) lines.push(`${name}. MX ${preference} ${exchange}.`)
    for (const address of A) lines.push(`${name}. A ${address}`)
    for (const address of AAAA) lines.push(`${name}. AAAA ${address}`)
    for (const text of TXT) lines.push(`${name}. TXT ${strings(text)}`)
    if (CNAME !== undefined) lines.push(`${name}. CNAME ${CNAME}.`)
  }
  return `${lines.join('\n')}\n`
}

function strings(text: string): string {
  const chunks = text.match(/.{1,255}/gs) ?? ['']
  const escaped = (chunk: string) =>
    chunk.replace(/[^ !#-[\]-~]/g, (character) => `\\${String(character.charCodeAt(0)).padStart(3, '0')}`)
  return chunks.map((chunk) => `"${escaped(chunk)}"`).join(' ')
}

async function freePort(): Promise<number> {
  for (;;) {
    const tcp = createServer().listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const { port } = tcp.address() as { port: number }
    const udp = createSocket('udp4')
    const free = await new Promise<boolean>((resolve) => {
      udp.once('error', () => resolve(false))
      udp.bind(port, '127.0.0.1', () => resolve(true))
    })
    udp.close()
    tcp.close()
    await once(tcp, 'close')
    if (free) return port
  }
}
