/** Fills the queue and the waiting room without SMTP, for what a system has to bear besides the load. */
import { createHash } from 'node:crypto'
import { type Submission, Submitter } from '@postel/db/submitter'
import { sender } from './load.ts'
import type { Postel } from './system.ts'

/** Submissions under way at once: enough to keep the writers' batches full. */
const window = 2000
const bodyBytes = 4096

export type Filling = {
  /** The recipient domain of the message of that number. */
  domainOf: (index: number) => string
  /** The name of its project. */
  project: string
  /** Into `waiting` instead. */
  sendAt?: Date
}

/**
 * Queues `count` messages of 4 KiB the way inbound stores them, and then lets Postgres vacuum and analyze. As at a
 * real sender most go to one domain: seven in ten, the others to thirty more; none to the load's.
 */
export async function fillQueue(postel: Postel, count: number): Promise<void> {
  await store(postel, count, {
    domainOf: (index) => (index % 10 < 7 ? 'bulk.test' : `r${index % 30}.test`),
    project: 'default',
  })
  await postel.sql`vacuum analyze`
}

/** Stores `count` messages of 4 KiB the way inbound does. */
export async function store(postel: Postel, count: number, filling: Filling): Promise<void> {
  const [project] = await postel.sql<{ id: string; organizationId: string }[]>`
    select id, organization_id as "organizationId" from postel.projects where name = ${filling.project}`
  const submitter = new Submitter({ url: postel.url, name: 'postel-bench', onStored: () => {} })
  const raw = composeMessage()
  const submission = (index: number): Submission => {
    const domain = filling.domainOf(index)
    return {
      organizationId: project!.organizationId,
      projectId: project!.id,
      source: 'smtp',
      envelopeFrom: sender,
      signingDomain: 's.test',
      messageIdHeader: `<${index}@s.test>`,
      headerFrom: sender,
      subject: 'Backlog',
      recipients: [{ address: `b${index}@${domain}`, domain }],
      raw,
      ...(filling.sendAt && { sendAt: filling.sendAt }),
    }
  }
  let next = 0
  const lane = async () => {
    while (next < count) await submitter.submit(submission(next++))
  }
  try {
    await Promise.all(Array.from({ length: window }, lane))
  } finally {
    await submitter.stop()
  }
}

/** Puts `count` deferred rows into `waiting`, due from tomorrow on. */
export async function fillWaiting(postel: Postel, count: number): Promise<void> {
  await postel.sql`
    insert into postel.waiting (
      state, not_before, reason, ip_id, priority, attempts, lost_holders, size_bytes, expires_at, message_id,
      organization_id, project_id, domain, numbers, recipients
    )
    select
      'deferred', now() + interval '1 day' + n * interval '10 ms', '451 4.7.1 Try again later', a.id, 50, 1, 0, 4096,
      now() + interval '3 days', postel.uuid_v7(), p.organization_id, p.id, 'r' || n % 100 || '.test', '{1}',
      array['b' || n || '@r' || n % 100 || '.test']
    from generate_series(1, ${count}::integer) as n
    cross join (select id from postel.ip_addresses limit 1) as a
    cross join (select id, organization_id from postel.projects limit 1) as p`
  await postel.sql`vacuum analyze postel.waiting`
}

/** Gives the load all that mail can be limited by, so high that nothing is refused: quota, rates, and a long list of suppressed addresses. */
export async function setLimits(postel: Postel, suppressed: number): Promise<void> {
  const { sql } = postel
  await sql`update postel.organizations set monthly_recipients = 1000000000, recipients_per_second = 1000000`
  await sql`update postel.projects set recipients_per_second = 1000000`
  await sql`
    insert into postel.suppressions (organization_id, address, origin)
    select p.organization_id, 's' || n || '@r.test', 'bounce'
    from generate_series(1, ${suppressed}::integer) as n
    cross join (select organization_id from postel.projects limit 1) as p`
  await sql`vacuum analyze postel.suppressions`
}

/** A plain message whose text compresses as base64 does: somewhat. */
function composeMessage(): Buffer {
  const head = [
    `From: ${sender}`,
    'To: b@r.test',
    'Date: Thu, 1 Jan 2026 00:00:00 +0000',
    'Message-ID: <backlog@s.test>',
    'Subject: Backlog',
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    '',
  ].join('\r\n')
  let text = ''
  for (let line = 0; head.length + text.length < bodyBytes; line++)
    text += `${createHash('sha384').update(`${line}`).digest('base64')}\r\n`
  return Buffer.from(head + text)
}
