/** What whoever installs Postel makes; k8s/README.md names each with the command for it. */

type GivenKey = {
  /** One that a process accepts. */
  sample: string
  /** The pods start without it. */
  optional?: true
}

const url = { sample: 'postgres://postel:secret@database.example.com:5432/postel' }
const optionalUrl = { ...url, optional: true } as const
const secret = { sample: 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=' }
const optionalSecret = { ...secret, optional: true } as const
const maybe = (sample: string) => ({ sample, optional: true }) as const

/** The Secrets, by "namespace/name", then by key. */
export const givenSecrets: Record<string, Record<string, GivenKey>> = {
  'postel/postel-database': { url, 'direct-url': optionalUrl },
  'postel/postel-database-owner': { url },
  'postel/postel-secret': { secret, previous: optionalSecret },
  'postel/postel-bootstrap': {
    'api-key': maybe('pk_live_0123456789abcdef0123'),
    domains: maybe('example.com'),
    'domains-verified': maybe('true'),
    'relay-cidr': maybe('192.0.2.0/24'),
  },
  'postel/postel-traces': { headers: maybe('authorization=token') },
  'postel/postel-auth': {
    'github-client-id': maybe('id'),
    'github-client-secret': maybe('secret'),
    'oidc-issuer': maybe('https://id.example.com'),
    'oidc-client-id': maybe('id'),
    'oidc-client-secret': maybe('secret'),
  },
  'postel/postel-ip-manager': {
    'upcloud-token': maybe('token'),
    'upcloud-username': maybe('user'),
    'upcloud-password': maybe('password'),
    'hetzner-token': maybe('token'),
  },
  'postel/postel-backup': {
    'database-url': url,
    endpoint: { sample: 'https://s3.example.com' },
    bucket: { sample: 'postel-backups' },
    region: maybe('eu-1'),
    'age-recipients': { sample: 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p' },
    'access-key-id': { sample: 'key' },
    'secret-access-key': { sample: 'secret' },
  },
  'postel/postel-tls': { 'tls.crt': { sample: '' }, 'tls.key': { sample: '' } },
  'postel-outbound/postel-outbound': {
    'database-url': url,
    'database-direct-url': optionalUrl,
    secret,
    'secret-previous': optionalSecret,
    'metrics-token': { sample: '0123456789abcdef' },
    'traces-headers': maybe('authorization=token'),
    'relay-url': maybe('smtp://user:password@relay.example.com:587'),
  },
  'postel-outbound/postel-ip-agent': { 'database-url': url },
}

/** The ConfigMaps that they may make, in both namespaces: the authority of the database's certificate, and where it is mounted. */
export const givenConfigMaps: Record<string, readonly string[]> = { 'postel-database-ca': ['ca.crt', 'path'] }
