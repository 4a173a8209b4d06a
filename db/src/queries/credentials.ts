/** Who asks, and who may submit: API keys, SMTP passwords and trusted networks, found by hash and kept for a few seconds. */
import { createHash } from 'node:crypto'
import { Networks } from '@postel/runtime/networks'
import { Answers } from '../answers.ts'
import type { Sql } from '../client.ts'
import { KeyUses } from './key-uses.ts'

export type OrganizationStatus = 'active' | 'no_sending' | 'no_receiving' | 'frozen'
export type Permission = 'full_access' | 'sending_access'

/** Whose mail a request or session sends, and what that may be. */
export type Principal = {
  organizationId: string
  organizationStatus: OrganizationStatus
  projectId: string
  projectName: string
  permission: Permission
  /** Verified domains that it may send from: lower-case A-labels. */
  domains: readonly string[]
  /** The name of the project's pool, the only one that its mail leaves from. */
  pool: string
  /** The key, password or network behind it; null for a person. */
  credentialId: string | null
  /** Its mail goes to the sandbox mailbox, whatever the delivery mode. */
  test: boolean
}

/** A key, password or network that is neither revoked nor expired, nor its project deleted. */
export type Credential = {
  kind: 'api_key' | 'smtp_password' | 'network'
  id: string
  name: string
  /** Null: of the platform. */
  organizationId: string | null
  organizationStatus: OrganizationStatus | null
  /** Null: of the whole organization, or of the platform. */
  projectId: string | null
  permission: Permission
  /** It works from these networks only; null: from anywhere. */
  networks: readonly string[] | null
  /** It sends from this domain only; null: from all of the project. */
  domain: string | null
  domainId: string | null
  expiresAt: Date | null
  test: boolean
  /** What it sends as; null while it is bound to no project. */
  sender: Principal | null
}

/** A network whose clients need no AUTH. */
export type TrustedNetwork = { network: string; credential: Credential & { sender: Principal } }

/** How long an answer is believed, so that a revocation is felt within it. */
export const credentialsTtlMs = 5_000
/** Longer names are not looked up. */
const nameCharactersMax = 253

/** Secrets are long random texts made by us, so one round of SHA-256 is enough to keep them safe at rest. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/**
 * Looks credentials up. Answers, also negative ones, are kept for credentialsTtlMs; while the database is away an
 * answer that is too old is not used: the caller gets the database's error.
 */
export class Credentials {
  readonly #sql: Sql
  readonly #bySecret = new Answers<Credential | undefined>(credentialsTtlMs)
  readonly #projects = new Answers<Project | undefined>(credentialsTtlMs)
  readonly #organizations = new Answers<OrganizationStatus | undefined>(credentialsTtlMs)
  readonly #networks = new Answers<TrustedNetwork[]>(credentialsTtlMs)
  readonly #uses: KeyUses

  /** `onUsesLost`: when keys were last used could not be written down; it is tried again with the next uses. */
  constructor(sql: Sql, onUsesLost: (error: unknown) => void = () => {}) {
    this.#sql = sql
    this.#uses = new KeyUses(sql, onUsesLost)
  }

  /** The API key or SMTP password; undefined when it is unknown, revoked or expired. Does not look at its networks. */
  bySecret(secret: string): Promise<Credential | undefined> {
    const hash = hashSecret(secret)
    return this.#bySecret.get(hash.toString('base64'), () => this.#lookUp(hash))
  }

  /**
   * What a person, or with `credential` a key of the organization or the platform, sends as in this project (its id or
   * name); undefined when the organization has no such project.
   */
  async ofProject(
    organizationId: string,
    project: string,
    credential?: Credential,
  ): Promise<Principal | undefined> {
    if (project.length > nameCharactersMax) return
    const found = await this.#projects.get(`${organizationId} ${project}`, () =>
      this.#lookUpProject(organizationId, project),
    )
    return found && asSender(found, credential)
  }

  /** Undefined when there is no such organization. */
  async ofOrganization(organizationId: string): Promise<OrganizationStatus | undefined> {
    if (organizationId.length > nameCharactersMax) return
    return this.#organizations.get(organizationId, async () => {
      const [row] = await this.#sql<{ status: OrganizationStatus }[]>`
        select o.status from postel.organizations o where o.id::text = ${organizationId.toLowerCase()}`
      return row?.status
    })
  }

  /** The trusted networks, the narrowest first. */
  networks(): Promise<TrustedNetwork[]> {
    return this.#networks.get('', () => this.#lookUpNetworks())
  }

  /** Notes that it was used just now; written down within a minute. */
  used({ id }: Credential): void {
    this.#uses.add(id)
  }

  /** Writes down what was used. */
  async stop(): Promise<void> {
    await this.#uses.stop()
  }

  async #lookUp(hash: Buffer): Promise<Credential | undefined> {
    const [row] = await this.#sql<Row[]>`
      select ${this.#columns()}
      from (
        select
          'api_key' as kind, k.id, k.name, k.organization_id, k.project_id, k.permission, k.networks, k.domain_id, k.test, k.expires_at,
          null::cidr as network
        from postel.api_keys k
        where k.hash = ${hash} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
        union all
        select
          'smtp_password', s.id, s.name, s.organization_id, s.project_id, 'sending_access', null, null, s.test, s.expires_at, null
        from postel.smtp_credentials s
        where s.hash = ${hash} and s.revoked_at is null and (s.expires_at is null or s.expires_at > now())
      ) as c
      ${this.#joins()}
      limit 1`
    return row && asCredential(row)
  }

  async #lookUpNetworks(): Promise<TrustedNetwork[]> {
    const rows = await this.#sql<Row[]>`
      select ${this.#columns()}
      from (
        select
          'network' as kind, s.id, s.name, s.organization_id, s.project_id, 'sending_access' as permission,
          null::cidr[] as networks, null::uuid as domain_id, false as test, s.expires_at, s.network
        from postel.smtp_credentials s
        where s.network is not null and s.revoked_at is null and (s.expires_at is null or s.expires_at > now())
      ) as c
      ${this.#joins()}
      order by masklen(c.network) desc, c.id`
    return rows.map((row) => ({
      network: row.network!,
      credential: asCredential(row) as TrustedNetwork['credential'],
    }))
  }

  async #lookUpProject(organizationId: string, project: string): Promise<Project | undefined> {
    const [row] = await this.#sql<Project[]>`
      select ${this.#projectColumns()}
      from postel.projects p
      join postel.organizations o on o.id = p.organization_id
      join postel.ip_pools l on l.id = p.pool_id
      where p.organization_id = ${organizationId} and p.deleted_at is null
        and (p.id::text = ${project.toLowerCase()} or p.name = ${project})
      order by (p.id::text = ${project.toLowerCase()}) desc, p.created_at, p.id
      limit 1`
    return row
  }

  #columns() {
    return this.#sql`
      c.kind, c.id, c.name, c.organization_id as "keyOrganizationId", c.project_id as "keyProjectId", c.permission,
      c.networks::text[] as networks, c.test, c.network::text as network,
      c.domain_id as "domainId", c.expires_at as "expiresAt",
      (select d.name from postel.domains d where d.id = c.domain_id and d.organization_id = c.organization_id) as domain,
      ${this.#projectColumns()}`
  }

  #projectColumns() {
    return this.#sql`
      o.id as "organizationId", o.status as "organizationStatus", p.id as "projectId", p.name as "projectName", l.name as pool,
      array(
        select d.name from postel.domains d
        where d.organization_id = p.organization_id and (d.project_id is null or d.project_id = p.id)
          and d.status = 'verified' and d.sending
      ) as domains`
  }

  /** What is of a deleted project is as good as revoked. */
  #joins() {
    return this.#sql`
      left join postel.organizations o on o.id = c.organization_id
      left join postel.projects p
        on p.id = c.project_id and p.organization_id = c.organization_id and p.deleted_at is null
      left join postel.ip_pools l on l.id = p.pool_id
      where (c.project_id is null or p.id is not null)`
  }
}

type Project = {
  organizationId: string
  organizationStatus: OrganizationStatus
  projectId: string
  projectName: string
  pool: string
  domains: string[]
}

type Row = Pick<
  Credential,
  'kind' | 'id' | 'name' | 'permission' | 'networks' | 'test' | 'domain' | 'domainId' | 'expiresAt'
> & {
  keyOrganizationId: string | null
  keyProjectId: string | null
  network: string | null
} & { [Key in keyof Project]: Project[Key] | null }

function asCredential(row: Row): Credential {
  const credential: Credential = {
    kind: row.kind,
    id: row.id,
    name: row.name,
    organizationId: row.keyOrganizationId,
    organizationStatus: row.organizationStatus,
    projectId: row.keyProjectId,
    permission: row.permission,
    networks: row.networks,
    // A limit to a domain that cannot be named must not become no limit
    domain: row.domainId === null ? null : (row.domain ?? ''),
    domainId: row.domainId,
    expiresAt: row.expiresAt,
    test: row.test,
    sender: null,
  }
  if (row.projectId !== null) credential.sender = asSender(row as Project, credential)
  return credential
}

function asSender(project: Project, credential: Credential | undefined): Principal {
  const { organizationId, organizationStatus, projectId, projectName, pool, domains } = project
  const limit = credential?.domain ?? null
  return {
    organizationId,
    organizationStatus,
    projectId,
    projectName,
    pool,
    permission: credential?.permission ?? 'full_access',
    domains: limit === null ? domains : domains.filter((domain) => domain === limit),
    credentialId: credential?.id ?? null,
    test: credential?.test ?? false,
  }
}

const lists = new WeakMap<readonly string[], Networks>()

/** Whether the credential works for a client with this address. */
export function worksFrom({ networks }: Credential, address: string | null): boolean {
  if (networks === null) return true
  let list = lists.get(networks)
  if (!list) {
    list = new Networks(networks)
    lists.set(networks, list)
  }
  return address !== null && list.includes(address)
}
