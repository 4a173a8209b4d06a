/** The public methods of the resend package, and which of them work against Postel. README.md has the table. */

/** `own shape`: there is such an endpoint, whose reply is not Resend's. */
export type Standing = 'offered' | 'own shape' | 'not offered' | 'needs no server'

export const sdkMethods: Record<string, Standing> = {
  ...all('offered', 'emails', ['send', 'create', 'get', 'list', 'update', 'cancel', 'share', 'metrics']),
  ...all('offered', 'emails.attachments', ['get', 'list']),
  ...all('offered', 'batch', ['send', 'create']),
  ...all('offered', 'domains', ['create', 'list', 'get', 'update', 'remove', 'verify']),
  ...all('offered', 'domains.claims', ['create', 'get', 'verify']),
  ...all('offered', 'apiKeys', ['create', 'list', 'update', 'remove']),
  ...all('offered', 'webhooks', ['create', 'get', 'list', 'update', 'remove', 'rotateSigningSecret']),
  ...all('needs no server', 'webhooks', ['verify']),
  ...all('offered', 'webhooks.events', ['list', 'get', 'replay']),
  ...all('offered', 'webhooks.events.attempts', ['list']),
  ...all('offered', 'suppressions', ['add', 'list', 'get', 'remove']),
  ...all('offered', 'suppressions.batch', ['add', 'remove']),
  ...all('offered', 'templates', ['create', 'remove', 'get', 'list', 'duplicate', 'publish', 'update']),
  ...all('offered', 'logs', ['list', 'get']),
  ...all('own shape', 'usage', ['get']),

  ...all('not offered', 'emails.receiving', ['get', 'list', 'forward']),
  ...all('not offered', 'emails.receiving.attachments', ['get', 'list']),
  ...all('not offered', 'automations', ['create', 'list', 'get', 'remove', 'update', 'duplicate', 'stop']),
  ...all('not offered', 'automations.runs', ['get', 'list']),
  ...all('not offered', 'broadcasts', [
    ...[
      'create',
      'send',
      'list',
      'get',
      'recipients',
      'clickedLinks',
      'remove',
      'cancel',
      'duplicate',
      'update',
    ],
  ]),
  ...all('not offered', 'contactProperties', ['create', 'list', 'get', 'update', 'remove']),
  ...all('not offered', 'contacts', ['create', 'list', 'get', 'update', 'remove']),
  ...all('not offered', 'contacts.imports', ['create', 'list', 'get']),
  ...all('not offered', 'contacts.topics', ['update', 'list']),
  ...all('not offered', 'contacts.segments', ['list', 'add', 'remove']),
  ...all('not offered', 'events', ['send', 'create', 'get', 'list', 'update', 'remove']),
  ...all('not offered', 'inboxes', ['create', 'list', 'get', 'update', 'remove']),
  ...all('not offered', 'inboxes.threads', ['list', 'search', 'get', 'update', 'remove']),
  ...all('not offered', 'inboxes.threads.emails', ['list', 'get', 'reply', 'forward']),
  ...all('not offered', 'inboxes.threads.labels', ['add', 'set', 'remove']),
  ...all('not offered', 'inboxes.labels', ['list', 'create', 'update', 'remove']),
  ...all('not offered', 'inboxes.drafts', ['list', 'create', 'get', 'update', 'remove', 'send']),
  ...all('not offered', 'inboxes.agent', ['get', 'update']),
  ...all('not offered', 'oauthGrants', ['list', 'revoke']),
  ...all('not offered', 'segments', ['create', 'list', 'get', 'update', 'remove']),
  ...all('not offered', 'topics', ['create', 'list', 'get', 'update', 'remove']),
}

/** Of its classes, but not of its types. */
export const internalMethods = new Set([
  'logError',
  'fetchRequest',
  'get',
  'post',
  'put',
  'patch',
  'delete',
  'contacts.imports.buildCreateFormData',
  'contacts.imports.buildColumnMap',
  'contacts.imports.appendField',
  'emails.receiving.downloadRaw',
  'emails.receiving.forwardPassthrough',
  'emails.receiving.forwardWrapped',
  'templates.performCreate',
])

function all(standing: Standing, path: string, names: readonly string[]): Record<string, Standing> {
  return Object.fromEntries(names.map((name) => [`${path}.${name}`, standing]))
}
