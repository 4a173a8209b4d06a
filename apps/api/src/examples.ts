/** A body for each endpoint that takes one, by its operationId: what the documentation shows and fills in. */

const id = '0193500d-7f3a-7d3e-9c7e-1f0a2b3c4d5e'

const email = {
  from: 'Ann <ann@example.com>',
  to: ['bob@example.net'],
  subject: 'Hello',
  html: '<p>Hi Bob</p>',
  text: 'Hi Bob',
}

const filter = { domain: 'example.net', reason: 'Their server is being moved.' }

export const examples: Record<string, unknown> = {
  sendEmail: email,
  sendBatch: [email, { ...email, to: ['carol@example.net'] }],
  updateEmail: { scheduled_at: '2026-11-30T08:00:00Z' },
  createDomain: { name: 'example.com' },
  updateDomain: { tls: 'enforced', click_tracking: false },
  claimDomain: { name: 'example.com' },
  importDkimKey: {
    selector: 's1',
    private_key: '-----BEGIN PRIVATE KEY-----\nMC4CAQAw…\n-----END PRIVATE KEY-----\n',
  },
  createApiKey: { name: 'Shop', permission: 'sending_access' },
  updateApiKey: { name: 'Shop, since May' },
  createSmtpCredential: { name: 'Printer' },
  createProject: { name: 'receipts', priority: 'high' },
  updateProject: { retention_days: 30, body_retention_days: 0 },
  createOrganization: { name: 'Example' },
  updateOrganization: { name: 'Example Ltd' },
  createInvitation: { email: 'carol@example.com', role: 'maintainer' },
  acceptInvitation: { token: 'q1f6bJ0V4m2c9XlT8hSgO3yZkWnRrAeDuPpIiFvLsEM' },
  updateMember: { role: 'read_only' },
  addSuppression: { email: 'bob@example.net' },
  addSuppressions: { emails: ['bob@example.net', 'carol@example.net'] },
  removeSuppressions: { emails: ['bob@example.net', 'carol@example.net'] },
  importSuppressions: 'email,reason\nbob@example.net,asked us by telephone\n',
  createWebhook: {
    endpoint: 'https://hooks.example.com/postel',
    events: ['email.delivered', 'email.bounced', 'email.complained'],
  },
  updateWebhook: { status: 'disabled' },
  testWebhook: { type: 'email.bounced' },
  createTemplate: {
    name: 'Order confirmation',
    alias: 'order-confirmation',
    from: 'Shop <shop@example.com>',
    subject: 'Your order {{{ORDER}}}',
    html: '<p>Thank you, {{{NAME}}}.</p>',
    variables: [{ key: 'NAME', type: 'string', fallback_value: 'dear customer' }],
  },
  updateTemplate: { subject: 'Thank you for order {{{ORDER}}}' },
  exportPerson: { email: 'bob@example.net' },
  erasePerson: { email: 'bob@example.net' },
  createPool: { name: 'transactional' },
  updatePool: { default: true },
  createIp: { address: '192.0.2.1', pool_id: '1', ehlo_name: 'out1.example.com' },
  updateIp: { state: 'draining', reason: 'It goes back to the provider.' },
  moveIpQueue: { to: '2' },
  createSuspension: { domain: 'example.net', reason: 'They asked us to stop for today.' },
  createDestinationRule: { name: 'example', domains: ['example.net'], connections_max: 2 },
  updateDestinationRule: { messages_per_minute: 60 },
  holdMail: filter,
  releaseMail: { domain: 'example.net' },
  cancelMail: { message_id: id },
  bounceMail: filter,
  retryMail: { domain: 'example.net' },
  createPlan: { name: 'small', monthly_recipients: 10_000, recipients_per_second: 5 },
  updatePlan: { monthly_recipients: 20_000 },
  updateOrganizationLimits: { monthly_recipients: 50_000 },
  updateModeration: { status: 'no_sending', reason: 'Too many complaints.' },
}
