/**
 * One right request for each endpoint, by its operationId: what its path names is made for it and is the owner's. A new
 * endpoint needs a line here, or access-matrix.test.ts and fuzz.test.ts fail.
 */
import { randomBytes } from 'node:crypto'
import { makePerson } from '@postel/api/testing/people'
import { unique, type World } from './world.ts'

export type Sample = {
  params?: Record<string, string>
  /** With its question mark. */
  query?: string
  body?: unknown
  /** Who asks for it, when it is not the least that its access allows. */
  by?: 'project' | 'organization' | 'operator'
  /** Its status, when there is nothing to find or to do in this world. */
  status?: number
  /** Of an endpoint that decides by itself who may use it: its status without a key, and to a key that may only send. */
  without?: number
  sending?: number
}

type Make = (world: World) => Sample | Promise<Sample>

const absent = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'

const email = ({ owner }: World) => ({
  from: `ann@${owner.domain}`,
  to: 'bob@dest.test',
  subject: 'Hello',
  text: 'Hi Bob',
})

async function emailId(world: World, more: object = {}): Promise<string> {
  return (await world.make('POST', '/emails', { ...email(world), ...more })).id
}

const anEmail: Make = async (world) => ({ params: { id: await emailId(world) } })

const later = () => new Date(Date.now() + 3_600_000).toISOString()

const aScheduledEmail = async (world: World) => ({
  params: { id: await emailId(world, { scheduled_at: later() }) },
})

const attached = { attachments: [{ filename: 'a.txt', content: 'aGVsbG8=' }] }

async function domainId(world: World): Promise<string> {
  return (await world.make('POST', '/domains', { name: `${unique('d')}.example.com` })).id
}

const aDomain: Make = async (world) => ({ params: { id: await domainId(world) } })

async function webhookId(world: World): Promise<string> {
  const body = { endpoint: 'http://127.0.0.1:9/hook', events: ['email.sent'] }
  return (await world.make('POST', '/webhooks', body)).id
}

const aWebhook: Make = async (world) => ({ params: { id: await webhookId(world) } })

const aWebhookEvent: Make = async (world) => {
  const id = await webhookId(world)
  const { id: eventId } = await world.make('POST', `/webhooks/${id}/test`, {})
  return { params: { id, eventId } }
}

async function apiKeyId(world: World): Promise<string> {
  return (await world.make('POST', '/api-keys', { name: unique('key') })).id
}

async function suppressed(world: World): Promise<string> {
  const address = `${unique('s')}@dest.test`
  await world.make('POST', '/suppressions', { email: address })
  return address
}

async function projectId(world: World): Promise<string> {
  return (await world.make('POST', '/projects', { name: unique('p') }, world.owner.organizationKey)).id
}

async function memberId({ api, owner }: World): Promise<string> {
  return (await makePerson(api, { roles: { [owner.organizationId]: 'maintainer' } })).id
}

async function operationId(world: World): Promise<string> {
  return (await world.make('POST', '/queue/hold', { domain: 'nobody.test' })).id
}

const aPool: Make = async (world) => ({
  params: { id: (await world.make('POST', '/pools', { name: unique('pool') }, world.operatorKey)).id },
})

async function ip(world: World, poolId: string): Promise<string> {
  const address = `fd00::${randomBytes(2).toString('hex')}:${randomBytes(2).toString('hex')}`
  return (await world.make('POST', '/ips', { address, pool_id: poolId }, world.operatorKey)).id
}

const anIp = async (world: World) => {
  const pool = (await aPool(world)).params!.id!
  return { params: { id: await ip(world, pool) }, pool }
}

const aSuspension: Make = async (world) => {
  const body = { domain: `${unique('d')}.test`, reason: 'why' }
  return { params: { id: (await world.make('POST', '/suspensions', body, world.operatorKey)).id } }
}

const aRule: Make = async (world) => ({
  params: {
    id: (await world.make('POST', '/destination-rules', { name: unique('r') }, world.operatorKey)).id,
  },
})

const aPlan: Make = async (world) => ({
  params: { id: (await world.make('POST', '/plans', { name: unique('plan') }, world.operatorKey)).id },
})

const aTemplate: Make = async (world) => {
  const body = { name: unique('template'), html: '<p>{{{NAME}}}</p>' }
  return { params: { template: (await world.make('POST', '/templates', body)).id } }
}

/** Of somebody else, whose keys nobody asks with. */
const someOrganization = async ({ api }: World) => ({
  params: { id: (await api.tenant()).organizationId },
})

export const samples: Record<string, Make> = {
  sendEmail: (world) => ({ body: email(world) }),
  sendBatch: (world) => ({ body: [email(world)] }),
  listEmails: () => ({}),
  getEmail: anEmail,
  getRawEmail: anEmail,
  listEmailEvents: anEmail,
  updateEmail: async (world) => ({ ...(await aScheduledEmail(world)), body: { scheduled_at: later() } }),
  cancelEmail: aScheduledEmail,
  resendEmail: async (world) => ({ ...(await anEmail(world)), body: {} }),
  shareEmail: async (world) => ({ ...(await anEmail(world)), body: {} }),
  listAttachments: async (world) => ({ params: { id: await emailId(world, attached) } }),
  getAttachment: async (world) => {
    const id = await emailId(world, attached)
    const { data } = await world.make('GET', `/emails/${id}/attachments`)
    return { params: { id, attachment: data[0].id } }
  },
  downloadAttachment: () => ({ params: { token: 'x' }, status: 422 }),
  showSharedEmail: () => ({ params: { token: 'x' }, status: 422 }),

  createDomain: () => ({ body: { name: `${unique('d')}.example.com` } }),
  listDomains: () => ({}),
  getDomain: aDomain,
  updateDomain: async (world) => ({ ...(await aDomain(world)), body: { tls: 'enforced' } }),
  deleteDomain: aDomain,
  verifyDomain: aDomain,
  claimDomain: () => ({ body: { name: `${unique('d')}.example.com` } }),
  getDomainClaim: aDomain,
  verifyDomainClaim: aDomain,
  rotateDkimKeys: aDomain,
  importDkimKey: async (world) => ({
    ...(await aDomain(world)),
    body: { selector: 's1', private_key: 'none' },
    status: 422,
  }),

  createApiKey: () => ({ body: { name: unique('key') } }),
  listApiKeys: () => ({}),
  updateApiKey: async (world) => ({ params: { id: await apiKeyId(world) }, body: { name: unique('key') } }),
  removeApiKey: async (world) => ({ params: { id: await apiKeyId(world) } }),
  createSmtpCredential: () => ({ body: { name: unique('smtp') } }),
  listSmtpCredentials: () => ({}),
  removeSmtpCredential: async (world) => ({
    params: { id: (await world.make('POST', '/smtp-credentials', { name: unique('smtp') })).id },
  }),

  createProject: () => ({ body: { name: unique('p') } }),
  listProjects: () => ({}),
  getProject: async (world) => ({ params: { id: await projectId(world) }, by: 'organization' }),
  updateProject: async (world) => ({
    params: { id: await projectId(world) },
    body: { tls: 'enforced' },
    by: 'organization',
  }),
  removeProject: async (world) => ({ params: { id: await projectId(world) } }),
  listAuditLog: () => ({}),

  createOrganization: () => ({ body: { name: 'new' }, by: 'operator', without: 401, sending: 403 }),
  listOrganizations: () => ({ without: 401, sending: 401 }),
  getOrganization: ({ owner }) => ({ params: { id: owner.organizationId }, without: 401, sending: 401 }),
  updateOrganization: ({ owner }) => ({
    params: { id: owner.organizationId },
    body: { name: 'renamed' },
    by: 'organization',
    without: 401,
    sending: 401,
  }),
  deleteOrganization: ({ owner }) => ({
    params: { id: owner.organizationId },
    by: 'organization',
    status: 409,
    without: 401,
    sending: 401,
  }),
  whoAmI: () => ({ without: 401, sending: 200 }),
  listMembers: () => ({}),
  updateMember: async (world) => ({
    params: { user_id: await memberId(world) },
    body: { role: 'read_only' },
  }),
  deleteMember: async (world) => ({ params: { user_id: await memberId(world) }, by: 'organization' }),
  createInvitation: () => ({ body: { email: `${unique('p')}@people.test` } }),
  listInvitations: () => ({}),
  deleteInvitation: async ({ api, owner }) => {
    const [row] = await api.sql<{ id: string }[]>`
      insert into postel.invitations (organization_id, email, role, token_hash, invited_by, expires_at)
      values (
        ${owner.organizationId}, ${`${unique('p')}@people.test`}, 'admin', ${randomBytes(32)}, 'ann', now() + interval '1 day'
      )
      returning id`
    return { params: { id: row!.id } }
  },
  acceptInvitation: () => ({ body: { token: randomBytes(32).toString('base64url') }, status: 404 }),

  addSuppression: () => ({ body: { email: `${unique('s')}@dest.test` } }),
  addSuppressions: () => ({ body: { emails: [`${unique('s')}@dest.test`] } }),
  exportSuppressions: () => ({}),
  importSuppressions: () => ({ body: `email\n${unique('s')}@dest.test\n` }),
  listSuppressions: () => ({}),
  getSuppression: async (world) => ({ params: { idOrEmail: await suppressed(world) } }),
  removeSuppression: async (world) => ({ params: { idOrEmail: await suppressed(world) } }),
  removeSuppressions: async (world) => ({ body: { emails: [await suppressed(world)] } }),

  createWebhook: () => ({ body: { endpoint: 'http://127.0.0.1:9/hook', events: ['email.sent'] } }),
  listWebhooks: () => ({}),
  getWebhook: aWebhook,
  updateWebhook: async (world) => ({ ...(await aWebhook(world)), body: { status: 'disabled' } }),
  deleteWebhook: aWebhook,
  rotateWebhookSigningSecret: aWebhook,
  testWebhook: async (world) => ({ ...(await aWebhook(world)), body: {} }),
  listWebhookEvents: aWebhook,
  getWebhookEvent: aWebhookEvent,
  listWebhookEventAttempts: aWebhookEvent,
  replayWebhookEvent: aWebhookEvent,

  createTemplate: () => ({ body: { name: unique('template'), html: '<p>x</p>' } }),
  listTemplates: () => ({}),
  getTemplate: aTemplate,
  updateTemplate: async (world) => ({ ...(await aTemplate(world)), body: { subject: 'new' } }),
  deleteTemplate: aTemplate,
  publishTemplate: aTemplate,
  duplicateTemplate: aTemplate,
  listLogs: () => ({}),
  getLog: async ({ api, owner }) => {
    const [row] = await api.sql<{ id: string }[]>`
      insert into postel.request_logs (organization_id, project_id, method, path, status, duration_ms)
      values (${owner.organizationId}, ${owner.projectId}, 'GET', '/emails', 200, 1)
      returning id`
    return { params: { id: row!.id } }
  },
  getEmailMetrics: () => ({}),
  exportPerson: () => ({ body: { email: 'ann@dest.test' } }),
  erasePerson: () => ({ body: { email: `${unique('p')}@dest.test` } }),
  getUsage: () => ({}),
  listPlans: () => ({}),
  createPlan: () => ({ body: { name: unique('plan') } }),
  getPlan: aPlan,
  updatePlan: async (world) => ({ ...(await aPlan(world)), body: { monthly_recipients: 7 } }),
  deletePlan: aPlan,
  getOrganizationLimits: someOrganization,
  updateOrganizationLimits: async (world) => ({
    ...(await someOrganization(world)),
    body: { monthly_recipients: 7 },
  }),
  getModeration: someOrganization,
  updateModeration: async (world) => ({ ...(await someOrganization(world)), body: { status: 'no_sending' } }),

  showUnsubscribe: () => ({ params: { token: 'x' }, status: 404 }),
  unsubscribe: () => ({ params: { token: 'x' }, status: 404 }),
  followLink: () => ({ params: { token: 'x' }, status: 404 }),
  openPixel: () => ({ params: { file: 'x.gif' }, status: 404 }),

  listSandboxMessages: () => ({ without: 200, sending: 200 }),
  getSandboxMessage: async ({ api, owner }) => {
    const [row] = await api.sql<{ id: string }[]>`
      insert into postel.sandbox_messages (
        organization_id, message_id, client_address, ehlo_name, envelope_from, recipients, raw
      )
      values (
        ${owner.organizationId}, ${absent}, '127.0.0.1', 'mail.test', 'a@x.test', ${['b@y.test']},
        ${Buffer.from('Subject: s\r\n\r\nHello\r\n')}
      )
      returning id::text as id`
    return { params: { id: row!.id }, without: 200, sending: 200 }
  },

  listQueueStates: () => ({}),
  listQueueDomains: () => ({}),
  listQueueIps: () => ({}),
  listQueueMessages: () => ({}),
  holdMail: async (world) => ({ body: { message_id: await emailId(world) } }),
  releaseMail: () => ({ body: { domain: 'nobody.test' } }),
  cancelMail: async (world) => ({ body: { message_id: await emailId(world) } }),
  bounceMail: async (world) => ({ body: { message_id: await emailId(world) } }),
  retryMail: () => ({ body: { domain: 'nobody.test' } }),
  listQueueOperations: () => ({}),
  getQueueOperation: async (world) => ({ params: { id: await operationId(world) } }),
  stopQueueOperation: async (world) => ({ params: { id: await operationId(world) }, status: 409 }),

  listPools: () => ({}),
  createPool: () => ({ body: { name: unique('pool') } }),
  getPool: aPool,
  updatePool: async (world) => ({ ...(await aPool(world)), body: { name: unique('pool') } }),
  deletePool: aPool,
  listPoolIps: aPool,
  listIps: () => ({}),
  createIp: async (world) => ({
    body: { address: `fd00:1::${randomBytes(2).toString('hex')}`, pool_id: (await aPool(world)).params!.id },
  }),
  getIp: async (world) => ({ params: (await anIp(world)).params }),
  updateIp: async (world) => ({ params: (await anIp(world)).params, body: { weight: 1 } }),
  moveIpQueue: async (world) => {
    const { params, pool } = await anIp(world)
    return { params, body: { to: await ip(world, pool) } }
  },
  listSuspensions: () => ({}),
  createSuspension: () => ({ body: { domain: `${unique('d')}.test`, reason: 'why' } }),
  getSuspension: aSuspension,
  deleteSuspension: aSuspension,
  listDestinationRules: () => ({}),
  createDestinationRule: () => ({ body: { name: unique('r') } }),
  getDestinationRule: aRule,
  updateDestinationRule: async (world) => ({ ...(await aRule(world)), body: { note: 'since May' } }),
  deleteDestinationRule: aRule,
}
