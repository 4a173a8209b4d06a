/** Our control headers and other services' names for the same. */
import { expect, test } from '@jest/globals'
import { type Control, emptyControl, isControlHeader, readControlHeader } from './control-headers.ts'

function read(...fields: [name: string, value: string][]): Control | string {
  const control = emptyControl()
  for (const [name, value] of fields) {
    const problem = readControlHeader(control, name, value)
    if (problem) return problem
  }
  return { ...control, metadata: { ...control.metadata } }
}

test.each<[string, [string, string][], Partial<Control>]>([
  ['named tag', [['X-Postel-Tag', 'campaign=a=b']], { tags: [{ name: 'campaign', value: 'a=b' }] }],
  ['bare tag', [['x-pm-tag', 'Welcome mail']], { tags: [{ name: 'tag', value: 'Welcome mail' }] }],
  [
    'several Mailgun tags',
    [
      ['X-Mailgun-Tag', 'a'],
      ['X-Mailgun-Tag', 'b'],
    ],
    {
      tags: [
        { name: 'tag', value: 'a' },
        { name: 'tag', value: 'b' },
      ],
    },
  ],
  ['Postal tag', [['X-Postal-Tag', 'a']], { tags: [{ name: 'tag', value: 'a' }] }],
  [
    'SES tags',
    [['X-SES-MESSAGE-TAGS', 'a=1, b=2,']],
    {
      tags: [
        { name: 'a', value: '1' },
        { name: 'b', value: '2' },
      ],
    },
  ],
  ['metadata', [['X-Postel-Metadata-User-Id', '7']], { metadata: { 'User-Id': '7' } }],
  ['Postmark metadata', [['X-PM-Metadata-order', '9']], { metadata: { order: '9' } }],
  [
    'Mailgun variables',
    [['X-Mailgun-Variables', '{"a": "x", "b": 1, "c": {"d": [true]}}']],
    { metadata: { a: 'x', b: '1', c: '{"d":[true]}' } },
  ],
  [
    'SendGrid',
    [['X-SMTPAPI', '{"category": ["a", "b=1"], "unique_args": {"k": "v"}, "to": ["x@y.test"]}']],
    {
      tags: [
        { name: 'category', value: 'a' },
        { name: 'b', value: '1' },
      ],
      metadata: { k: 'v' },
    },
  ],
  [
    'SendGrid, one category',
    [['X-SMTPAPI', '{"category": "a"}']],
    { tags: [{ name: 'category', value: 'a' }] },
  ],
  ['pool', [['X-Postel-Pool', 'bulk']], { pool: 'bulk' }],
  ['send-at', [['X-Postel-Send-At', '2026-01-01T00:00:00Z']], { sendAt: '2026-01-01T00:00:00Z' }],
  ['idempotency key', [['X-Postel-Idempotency-Key', 'k']], { idempotencyKey: 'k' }],
  ['priority', [['X-Postel-Priority', 'High']], { priority: 10 }],
  ['lifetime', [['X-Postel-Expires-In', '10m']], { expiresInSeconds: 600 }],
  ['Resend key', [['Resend-Idempotency-Key', 'k']], { idempotencyKey: 'k' }],
  ['unknown of ours', [['X-Postel-Trusted', 'yes']], {}],
  [
    'empty values',
    [
      ['X-Postel-Tag', ''],
      ['X-Postel-Pool', ''],
    ],
    {},
  ],
])('reads: %s', (_name, fields, expected) => {
  expect(read(...fields)).toEqual({ tags: [], metadata: {}, ...expected })
  expect(fields.every(([name]) => isControlHeader(name.toLowerCase()))).toBe(true)
})

test.each<[string, [string, string][]]>([
  ['not JSON', [['X-Mailgun-Variables', '{a}']]],
  ['JSON array', [['X-SMTPAPI', '[]']]],
  ['category that is no text', [['X-SMTPAPI', '{"category": {}}']]],
  ['deep JSON', [['X-Mailgun-Variables', `{"a":${'['.repeat(4_900)}${']'.repeat(4_900)}}`]]],
  ['NUL in JSON', [['X-Mailgun-Variables', '{"a": "\\u0000"}']]],
  ['control character in a key', [['X-Mailgun-Variables', '{"\\u0000": "a"}']]],
  [
    'two pools',
    [
      ['X-Postel-Pool', 'a'],
      ['X-Postel-Pool', 'b'],
    ],
  ],
  [
    'two names for the key',
    [
      ['X-Postel-Idempotency-Key', 'a'],
      ['Resend-Idempotency-Key', 'b'],
    ],
  ],
  [
    'two priorities',
    [
      ['X-Postel-Priority', 'high'],
      ['X-Postel-Priority', 'high'],
    ],
  ],
  [
    'two lifetimes',
    [
      ['X-Postel-Expires-In', '1h'],
      ['X-Postel-Expires-In', '1h'],
    ],
  ],
  ['unknown priority', [['X-Postel-Priority', 'urgent']]],
  ['empty priority', [['X-Postel-Priority', '']]],
  ['negative lifetime', [['X-Postel-Expires-In', '-1']]],
  ['lifetime in words', [['X-Postel-Expires-In', 'soon']]],
  ['long key', [['X-Postel-Idempotency-Key', 'a'.repeat(257)]]],
  ['long tag', [['X-Postel-Tag', 'a'.repeat(257)]]],
  ['51 tags', [['X-SES-MESSAGE-TAGS', 'a=1,'.repeat(51)]]],
  ['51 metadata values', Array.from({ length: 51 }, (_, i): [string, string] => [`X-PM-Metadata-${i}`, ''])],
  ['metadata without a key', [['X-Postel-Metadata-', 'a']]],
  ['long metadata', [['X-Postel-Metadata-a', 'a'.repeat(1_001)]]],
])('gives the reason: %s', (_name, fields) => {
  expect(read(...fields)).toEqual(expect.any(String))
})

test('keys of the prototype are plain keys', () => {
  const control = emptyControl()
  readControlHeader(control, 'X-Postel-Metadata-constructor', 'a')
  readControlHeader(control, 'X-Mailgun-Variables', '{"__proto__": {"admin": true}}')
  expect(Object.entries(control.metadata)).toEqual([
    ['constructor', 'a'],
    ['__proto__', '{"admin":true}'],
  ])
  expect('admin' in {}).toBe(false)
})

test.each(['x-mailer', 'x-pm-message-stream', 'to', 'x-poste'])('is not for the MTA: %s', (name) => {
  expect(isControlHeader(name)).toBe(false)
})
