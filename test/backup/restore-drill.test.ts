/** The restore drill: all of Postel, a backup, a disaster, a restore into a new database, and what then leaves and what does not. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { connect, type Sql } from '@postel/db/client'
import { inconsistencies } from '@postel/db/testing/factories'
import { databaseUrl } from '@postel/db/testing/server'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { Harness } from '../ledger/harness.ts'
import { SmtpClient } from '../ledger/smtp-client.ts'
import { S3Server } from '../support/s3-server.ts'
import { waitFor as waitSeconds } from '../support/wait-for.ts'
import { dumpableServer, run } from './programs.ts'

const waitFor = <T>(look: () => Promise<T> | T) => waitSeconds(look, 60)

/** What nothing after the backup changes: the same to the letter. */
const settled = [
  'organizations',
  'projects',
  'domains',
  'dkim_keys',
  'api_keys',
  'users',
  'suppressions',
  'webhooks',
  'ip_pools',
  'ip_addresses',
  'messages',
  'message_bodies',
  'message_tags',
  'attempts',
  'templates',
  'destinations',
  'usage',
]

async function contents(sql: Sql): Promise<Record<string, string>> {
  const parts = settled.map(
    (table) =>
      `'${table}', (select count(*) || ' ' || coalesce(md5(string_agg(t::text, e'\\n' order by t::text)), '') from postel.${table} t)`,
  )
  const [row] = await sql.unsafe(`select json_build_object(${parts.join(', ')}) as contents`)
  return row!.contents
}

/** An endpoint for webhooks; `told` are the recipients of each event that came. */
class Hook {
  readonly told: string[] = []
  readonly #server: Server

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { type, data } = JSON.parse(Buffer.concat(chunks).toString())
        this.told.push(`${type} ${data.to.join()}`)
        response.writeHead(204).end()
      })
    })
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  stop(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

const available = await dumpableServer()
if ('missing' in available) console.warn(`restore drill skipped: ${available.missing}`)
const withDump = 'missing' in available ? test.skip : test

withDump(
  'a backup is restored into a new database; nothing leaves before a person releases it, and then once',
  async () => {
    const server = available as Exclude<typeof available, { missing: string }>
    const directory = mkdtempSync(join(tmpdir(), 'postel-drill-'))
    const [store, hook] = [await S3Server.start(), new Hook()]
    await hook.listen()
    const harness = await Harness.start('restore-drill', {
      binaries: server.binaries,
      dkim: ['ed25519-sha256'],
      env: { worker: { WEBHOOKS_ALLOW_PRIVATE: 'true' }, api: { WEBHOOKS_ALLOW_PRIVATE: 'true' } },
    })
    let restored: Sql | undefined
    try {
      const { sink } = harness
      const received = (recipient: string) =>
        sink.received.filter((each) => each.recipient === recipient).length
      const submit = async (...recipients: string[]) => {
        const client = await SmtpClient.open(harness.port)
        for (const recipient of recipients)
          for (const [command, code] of [
            ['MAIL FROM:<sender@s.test>', 250],
            [`RCPT TO:<${recipient}>`, 250],
            ['DATA', 354],
            ['From: sender@s.test\r\nSubject: drill\r\n\r\ntext\r\n.', 250],
          ] as const)
            expect(await client.ask(command)).toMatchObject({ code })
        client.close()
      }
      const stateOf = async (sql: Sql) => {
        const rows = await sql<
          { recipient: string; state: string }[]
        >`select recipient, state from postel.deliveries`
        return Object.fromEntries(rows.map(({ recipient, state }) => [recipient, state]))
      }

      // Mail that has left, bounced and is told of; a person; a webhook
      const api = harness.makeApp('api')
      await api.start()
      const created = await fetch(`http://127.0.0.1:${harness.apiPort}/webhooks`, {
        method: 'POST',
        headers: { authorization: `Bearer ${harness.apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ endpoint: hook.url, events: ['email.delivered', 'email.bounced'] }),
      })
      expect(created.status).toBe(201)
      await harness.sql`
      insert into postel.users (id, name, email, email_verified) values (gen_random_uuid(), 'Ann', 'ann@s.test', true)`
      await submit('done1@x.test', 'done2@x.test', 'bounce1@x.test')
      await harness.drain()
      await waitFor(() => hook.told.length === 3)
      // Done each minute, which could be the one of the backup
      await waitFor(async () => {
        await harness.sql`select graphile_worker.add_job('suppressions', job_key := 'suppressions')`
        return (await harness.sql`select from postel.suppressions`).length === 1
      })

      // Mail that waits for each of the reasons
      await harness.sql`update postel.projects set retry_schedule_seconds = array[3600]`
      await submit('later1@x.test')
      await waitFor(async () => (await stateOf(harness.sql))['later1@x.test'] === 'deferred')
      await harness.outbound.end('SIGTERM')
      await submit('queued1@x.test', 'queued2@x.test', 'held@x.test')
      await harness.sql`select postel.hold(recipient => 'held@x.test', reason => 'asked for')`
      await harness.sql`
      select postel.send('sender@s.test', array['soon@x.test'], 's', 'b', send_at => now() + interval '1 hour')`
      await api.end('SIGTERM')
      // What it counts each minute would differ between the backup and the look at what is in it
      await harness.worker.end('SIGTERM')

      // The backup
      const identity = await generateX25519Identity()
      const env = { ...store.env, BACKUP_AGE_RECIPIENTS: await identityToRecipient(identity) }
      const backup = await run('backup', { ...env, DATABASE_URL: harness.cluster.url })
      expect(backup).toMatchObject({ code: 0, errors: '' })
      const before = await contents(harness.sql)
      const statesBefore = await stateOf(harness.sql)
      const [recorded] = await harness.sql`select ok, bytes::int, object, bodies, error from postel.backups`
      expect(recorded).toEqual({
        ok: true,
        bytes: store.objects.get(recorded!.object)!.body.length,
        object: recorded!.object,
        bodies: true,
        error: null,
      })

      // Mail leaves after it; then everything is lost
      await harness.outbound.start()
      await waitFor(() => received('queued1@x.test') > 0 && received('queued2@x.test') > 0)
      await Promise.all([harness.inbound, harness.outbound].map((app) => app.end('SIGTERM')))

      // The restore
      await harness.sql`create database restored encoding utf8 locale 'C' template template0`
      const url = databaseUrl(harness.cluster.url, 'restored')
      writeFileSync(join(directory, 'key.txt'), `# created by age-keygen\n${identity}\n`)
      const told = hook.told.length
      const restore = await run('restore', { ...store.env, POSTEL_SECRET: harness.secret }, [
        '--object',
        'latest',
        '--identity',
        join(directory, 'key.txt'),
        '--into',
        url,
      ])
      expect(restore).toMatchObject({ code: 0, errors: '' })
      expect(restore.output).toContain('the mail of 4 recipients is held')
      restored = connect(url, { name: 'drill', max: 2 })
      expect(await contents(restored)).toEqual(before)
      expect(await stateOf(restored)).toEqual({
        ...statesBefore,
        'later1@x.test': 'held',
        'queued1@x.test': 'held',
        'queued2@x.test': 'held',
        'soon@x.test': 'held',
      })

      // Everything runs on it: new mail leaves, and not one of the old ones, whose times have come
      const apps = (['inbound', 'outbound', 'worker'] as const).map((app) =>
        harness.makeApp(app, `${app} restored`, { DATABASE_URL: url }),
      )
      await Promise.all(apps.map((app) => app.start()))
      const left = sink.received.length
      await submit('new1@x.test', 'new2@x.test')
      await waitFor(() => received('new1@x.test') > 0 && received('new2@x.test') > 0)
      await waitFor(() => hook.told.length >= told + 2)
      await restored`update postel.waiting set not_before = now() - interval '1 s' where held_from = 'scheduled'`
      await restored`select postel.release_due()`
      await submit('new3@x.test')
      await waitFor(() => received('new3@x.test') > 0)
      expect(
        sink.received
          .slice(left)
          .map((each) => each.recipient)
          .sort(),
      ).toEqual(['new1@x.test', 'new2@x.test', 'new3@x.test'])
      expect([
        ...(await restored`select state, recipients::int as n from postel.queue_now where state like 'held%' order by 1`),
      ]).toEqual([
        { state: 'held', n: 1 },
        { state: 'held by hold_all', n: 4 },
      ])

      // A person has seen in the remote's log what had left, and releases the rest
      await restored`select postel.cancel(recipient => 'queued1@x.test'), postel.cancel(recipient => 'queued2@x.test')`
      expect((await restored`select postel.release_all()::int as n`)[0]!.n).toBe(2)
      await waitFor(() => received('later1@x.test') > 0 && received('soon@x.test') > 0)
      await waitFor(async () => (await stateOf(restored!))['soon@x.test'] === 'delivered')
      await restored`select postel.release(recipient => 'held@x.test')`
      await waitFor(async () => (await stateOf(restored!))['held@x.test'] === 'delivered')
      expect(
        Object.fromEntries(sink.received.map(({ recipient }) => [recipient, received(recipient)])),
      ).toEqual({
        'done1@x.test': 1,
        'done2@x.test': 1,
        'queued1@x.test': 1,
        'queued2@x.test': 1,
        'later1@x.test': 1,
        'soon@x.test': 1,
        'held@x.test': 1,
        'new1@x.test': 1,
        'new2@x.test': 1,
        'new3@x.test': 1,
      })
      // Nobody was told twice of what had happened before the backup
      await waitFor(() => hook.told.includes('email.delivered held@x.test'))
      expect(hook.told.filter((line) => /done|bounce/.test(line)).sort()).toEqual([
        'email.bounced bounce1@x.test',
        'email.delivered done1@x.test',
        'email.delivered done2@x.test',
      ])
      expect(await inconsistencies(restored)).toEqual([])
      expect(apps.flatMap((app) => app.surprises)).toEqual([])
    } finally {
      await restored?.end({ timeout: 1 })
      await harness.stop()
      hook.stop()
      await store.stop()
      rmSync(directory, { recursive: true, force: true })
    }
  },
)
