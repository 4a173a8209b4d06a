/** The one screen that says how to use what runs. */
import type { Principal } from '@postel/db/queries/credentials'
import { rootDir, type StandaloneConfig } from './config.ts'
import type { Ports } from './ports.ts'
import type { Secrets } from './secrets.ts'

export type ScreenFacts = {
  config: StandaloneConfig
  ports: Ports
  secrets: Secrets
  /** Undefined when the API key has been revoked. */
  principal: Principal | undefined
  logFile: string
}

const modes = {
  sandbox: 'sandbox: all mail goes to a built-in mailbox, none leaves this machine',
  direct: 'direct: mail goes to the recipients’ servers',
  relay: 'relay: mail goes through DELIVERY_RELAY_URL',
}

/** Every command on it can be pasted into another terminal; the last two need the repository as working directory. */
export function readyScreen(facts: ScreenFacts): string {
  const { config, ports, secrets, logFile } = facts
  const { apiKey } = secrets
  const api = `http://localhost:${ports.api}`
  const sandbox = config.DELIVERY_MODE === 'sandbox'
  const domain = senderDomain(facts)
  const from = `hello@${domain.name}`
  const to = sandbox ? 'you@dest.test' : 'you@example.com'
  const email = (subject: string) => JSON.stringify({ from, to, subject, text: 'It works.' })
  const headers = `From: ${from}\\r\\nTo: ${to}\\r\\nSubject: Hello over SMTP\\r\\n`
  const curlAuth = `-H 'Authorization: Bearer ${apiKey}'`
  const psql = psqlCommand(config)
  return `
Postel is running (${modes[config.DELIVERY_MODE]}).

  API      ${api}   (documentation: ${api}/docs)
  SMTP     localhost:${ports.submission} (STARTTLS) and localhost:${ports.submissions} (TLS); any user, the API key as password
  MX       localhost:${ports.mx}   (bounces and complaints come back here)
  API key  ${apiKey}${keyNote(facts)}
  Sender   @${domain.name}${domain.verified ? '' : '   (not verified yet, so sends from it are refused)'}
  Log      ${logFile}

Send by REST:

  curl -sS ${api}/emails ${curlAuth} -H 'Content-Type: application/json' -d '${email('Hello over REST')}'

Send by SMTP:

  printf '${headers}\\r\\nIt works.\\r\\n' | curl -sS --url smtp://127.0.0.1:${ports.submission} --ssl-reqd -k --user any:${apiKey} --mail-from ${from} --mail-rcpt ${to} -T -
  swaks --server 127.0.0.1:${ports.submission} -tls -au any -ap ${apiKey} -f ${from} -t ${to}

Send from psql:

  ${psql} -c "select postel.send('${from}', array['${to}'], 'Hello from psql', 'It works.')"

See ${sandbox ? 'what arrived' : 'what became of it'}:

  ${sandbox ? `curl -sS ${api}/sandbox/messages` : `curl -sS ${curlAuth} ${api}/emails`}
  ${psql} -c "table postel.recent_failures"

Ctrl-C stops it.
`
}

/** A domain that the key may send from, if there is one. */
function senderDomain({ config, principal }: ScreenFacts): { name: string; verified: boolean } {
  const wanted = config.BOOTSTRAP_DOMAINS.map((name) => name.toLowerCase())
  const verified = principal?.domains ?? []
  const usable = wanted.find((name) => verified.includes(name)) ?? verified[0]
  return { name: usable ?? wanted[0]!, verified: usable !== undefined }
}

function keyNote({ principal, secrets }: ScreenFacts): string {
  if (principal) return ''
  const remedy = secrets.apiKeyFile
    ? `remove ${secrets.apiKeyFile} and start again`
    : 'set another BOOTSTRAP_API_KEY'
  return `   (revoked! For a new one, ${remedy})`
}

/** The psql command finds this run by its data directory. */
function psqlCommand(config: StandaloneConfig): string {
  const given = config.environment.POSTEL_DATA_DIR ? `POSTEL_DATA_DIR=${quoted(config.POSTEL_DATA_DIR)} ` : ''
  return `${given}npm --prefix ${quoted(rootDir)} run psql --`
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
