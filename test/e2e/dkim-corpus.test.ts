/**
 * 300 messages of many shapes, signed with RSA and Ed25519: every verifier that the machine has accepts all of them. mailauth
 * comes with the tests; dkimpy (Debian's python3-dkim) and Mail::DKIM (libmail-dkim-perl; RSA only) take part where installed.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { composeMessage, isFieldProblem } from '@postel/mail/compose'
import { signDkim } from '@postel/mail/dkim'
import { normaliseMessage } from '@postel/mail/normalise'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'
import { makeRandom } from '../ledger/random.ts'

const count = 300
const domain = 'example.test'
const directory = mkdtempSync(join(tmpdir(), 'postel-dkim-'))
const records = new Map<string, string>()
const messages: string[] = []

beforeAll(async () => {
  const random = makeRandom('dkim corpus')
  const keys = [makeKey('rsa-sha256', 'r1'), makeKey('ed25519-sha256', 'e1')]
  for (let index = 0; index < count; index++) {
    const raw = await makeMessage(() => random.next())
    const signed = Buffer.concat([Buffer.from(await signDkim(raw, keys, new Date()), 'latin1'), raw])
    const file = join(directory, `${index}.eml`)
    writeFileSync(file, signed)
    messages.push(file)
  }
  writeFileSync(join(directory, 'records.json'), JSON.stringify(Object.fromEntries(records)))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function makeKey(algorithm: 'rsa-sha256' | 'ed25519-sha256', selector: string) {
  const { publicKey, privateKey } =
    algorithm === 'rsa-sha256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ed25519')
  records.set(
    `${selector}._domainkey.${domain}`,
    `v=DKIM1; k=${algorithm.split('-')[0]}; p=${published(publicKey, algorithm)}`,
  )
  return { domain, selector, algorithm, privateKey }
}

/** RFC 8463: an Ed25519 key is published without its ASN.1. */
function published(key: KeyObject, algorithm: string): string {
  const der = key.export({ type: 'spki', format: 'der' })
  return (algorithm === 'ed25519-sha256' ? der.subarray(-32) : der).toString('base64')
}

async function makeMessage(next: () => number): Promise<Buffer> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!
  const words = [
    'hello',
    'Grüße',
    '你好',
    '..',
    '.',
    'a  b',
    'x'.repeat(80),
    'tab\there',
    '',
    'naïve café',
    '<b>&amp;',
  ]
  const text = (lines: number) =>
    Array.from({ length: Math.floor(next() * lines) }, () => `${pick(words)} ${pick(words)}`).join('\n')
  const composed = await composeMessage({
    from: `${pick(['Ann', 'Änn Ü', '"Doe, J."'])} <ann@${domain}>`,
    to: Array.from({ length: 1 + Math.floor(next() * 5) }, (_, index) => `reader${index}@dest.test`),
    subject: pick(['Hello', 'Ünïcödé 🎉', 'long '.repeat(40).trim(), 'a  b', 'Re: [x]']),
    text: text(60),
    ...(next() < 0.5 && { html: `<p>${text(30)}</p>` }),
    ...(next() < 0.3 && { replyTo: [`reply@${domain}`] }),
    ...(next() < 0.3 && {
      headers: { 'X-Campaign': pick(words) || 'none', 'List-Unsubscribe': '<https://example.test/u>' },
    }),
    ...(next() < 0.3 && {
      attachments: [
        { filename: pick(['a.bin', 'ä.pdf']), content: Buffer.alloc(Math.floor(next() * 20_000), 7) },
      ],
    }),
  })
  if (isFieldProblem(composed)) throw new Error(`${composed.field}: ${composed.problem}`)
  const normalised = normaliseMessage(composed.raw, {
    hostname: 'mail.test',
    now: new Date(),
    protocol: 'HTTP',
  })
  if ('refused' in normalised) throw new Error(normalised.reason)
  return normalised.raw
}

test('mailauth accepts both signatures of all', async () => {
  const resolver = async (name: string) => {
    const record = records.get(name)
    if (!record) throw Object.assign(new Error(`no TXT ${name}`), { code: 'ENOTFOUND' })
    return [[record]]
  }
  for (const file of messages) {
    const { results } = await dkimVerify(await readFile(file), { resolver })
    expect({ file, results: results.map(({ status }) => status.result) }).toEqual({
      file,
      results: ['pass', 'pass'],
    })
  }
})

const python = `
import dkim, glob, json, sys
records = json.load(open(sys.argv[1] + '/records.json'))
find = lambda name, timeout=5: records[(name.decode() if isinstance(name, bytes) else name).rstrip('.')].encode()
for file in glob.glob(sys.argv[1] + '/*.eml'):
    verifier = dkim.DKIM(open(file, 'rb').read())
    for index in (0, 1):
        if not verifier.verify(idx=index, dnsfunc=find):
            print(file, index)
`
const hasDkimpy = spawnSync('/usr/bin/python3', ['-c', 'import dkim, nacl']).status === 0

;(hasDkimpy ? test : test.skip)('dkimpy accepts both signatures of all', () => {
  const refused = execFileSync('/usr/bin/python3', ['-c', python, directory], { encoding: 'utf8' })
  expect(refused).toBe('')
})

const perl = `
use Mail::DKIM::Verifier; use Mail::DKIM::PublicKey; use JSON::PP;
my $dir = shift; local $/; open my $r, '<', "$dir/records.json"; my $records = decode_json(<$r>);
{ no warnings 'redefine'; *Mail::DKIM::PublicKey::fetch_async = sub { my ($class, %p) = @_;
  my $k = $class->parse($records->{"$p{Selector}._domainkey.$p{Domain}"});
  @$k{'Selector', 'Domain'} = @p{'Selector', 'Domain'}; return sub { $p{Callbacks}{Success}->($k) }; }; }
for my $file (glob "$dir/*.eml") {
  open my $in, '<:raw', $file; my $v = Mail::DKIM::Verifier->new; $v->PRINT(<$in>); $v->CLOSE;
  my ($rsa) = grep { $_->algorithm eq 'rsa-sha256' } $v->signatures;
  print "$file ", $rsa->result_detail, "\\n" unless $rsa->result eq 'pass';
}
`
const hasMailDkim = spawnSync('perl', ['-MMail::DKIM::Verifier', '-MJSON::PP', '-e', '1']).status === 0

;(hasMailDkim ? test : test.skip)('Mail::DKIM accepts the RSA signature of all', () => {
  const refused = execFileSync('perl', ['-e', perl, directory], { encoding: 'utf8' })
  expect(refused).toBe('')
})
