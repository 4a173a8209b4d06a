/** Who may reach what. */
import type { Rule } from '../lint.ts'
import { type Manifest, ofKind, selects, titleOf, type Workload, workloadsOf } from '../manifests.ts'

type Selector = Parameters<typeof selects>[0]
type Peer = {
  podSelector?: Selector
  namespaceSelector?: Selector
  ipBlock?: { cidr: string; except?: string[] }
}
type Direction = { ports?: { port: string | number }[]; to?: Peer[]; from?: Peer[] }
type Policy = {
  podSelector: Selector
  policyTypes: string[]
  ingress?: Direction[]
  egress?: Direction[]
}

const policiesOf = (manifests: readonly Manifest[]) =>
  ofKind(manifests, 'NetworkPolicy').map((manifest) => ({
    manifest,
    policy: manifest.spec as unknown as Policy,
  }))

const defaultDeny: Rule = (manifests) =>
  ofKind(manifests, 'Namespace')
    .filter(
      ({ metadata }) =>
        !policiesOf(manifests).some(
          ({ manifest, policy }) =>
            manifest.metadata.namespace === metadata.name &&
            selects(policy.podSelector, {}) &&
            policy.policyTypes.length === 2 &&
            policy.ingress === undefined &&
            policy.egress === undefined,
        ),
    )
    .map((namespace) => `${titleOf(namespace)}: lets through what no policy names`)

/** A policy for nobody is a mistyped label. */
const somebody: Rule = (manifests) =>
  policiesOf(manifests).flatMap(({ manifest, policy }) => {
    const pods = podsIn(manifests, manifest.metadata.namespace)
    const names = (policy.podSelector.matchExpressions ?? [])
      .filter(({ operator }) => operator === 'In')
      .flatMap(({ key, values = [] }) => values.map((value) => ({ key, value })))
    const isForAll = selects(policy.podSelector, {})
    return [
      ...(isForAll || pods.some(({ labels }) => selects(policy.podSelector, labels))
        ? []
        : [`${titleOf(manifest)}: is for no pods`]),
      ...names
        .filter(({ key, value }) => !pods.some(({ labels }) => labels[key] === value))
        .map(({ value }) => `${titleOf(manifest)}: names ${value}, and there are no such pods`),
    ]
  })

const ports: Rule = (manifests) =>
  policiesOf(manifests).flatMap(({ manifest, policy }) =>
    podsIn(manifests, manifest.metadata.namespace)
      .filter(({ labels }) => selects(policy.podSelector, labels))
      .flatMap((workload) =>
        (policy.ingress ?? [])
          .flatMap((rule) => rule.ports ?? [])
          .filter(({ port }) => !hasPort(workload, port))
          .map(({ port }) => `${titleOf(manifest)}: ${workload.title} has no port ${port}`),
      ),
  )

/** Whatever speaks to the database is let through to it, and nothing else is. */
const database: Rule = (manifests) =>
  podsIn(manifests, 'postel').flatMap(({ title, labels, containers }) => {
    const uses = containers.some(({ env = [] }) => env.some(({ name }) => name === 'DATABASE_URL'))
    const may = egressOf(manifests, labels).some((rule) =>
      (rule.ports ?? []).some(({ port }) => port === 5432),
    )
    if (uses === may) return []
    return [
      uses ? `${title}: may not reach the database` : `${title}: may reach the database and does not use it`,
    ]
  })

/** Private networks, so the cluster's, and the cloud's metadata: an address given from outside must not lead there. */
const forbidden = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16']

const internet: Rule = (manifests) =>
  policiesOf(manifests).flatMap(({ manifest, policy }) =>
    (policy.egress ?? [])
      .filter(({ ports: named = [] }) => named.every(({ port }) => ![53, 5432, 6432].includes(Number(port))))
      .flatMap((rule) =>
        rule.to === undefined
          ? [`${titleOf(manifest)}: leads everywhere`]
          : rule.to
              .filter(({ ipBlock }) => ipBlock?.cidr === '0.0.0.0/0')
              .flatMap(({ ipBlock }) => forbidden.filter((network) => !ipBlock!.except?.includes(network)))
              .map((network) => `${titleOf(manifest)}: leads into ${network}`),
      ),
  )

function podsIn(manifests: readonly Manifest[], namespace: string | undefined): Workload[] {
  return workloadsOf(manifests).filter((workload) => workload.namespace === namespace)
}

function hasPort({ containers }: Workload, port: string | number): boolean {
  return containers.some(({ ports: named = [] }) =>
    named.some(({ name, containerPort }) => name === port || containerPort === port),
  )
}

function egressOf(manifests: readonly Manifest[], labels: Record<string, string>): Direction[] {
  return policiesOf(manifests)
    .filter(({ manifest }) => manifest.metadata.namespace === 'postel')
    .filter(({ policy }) => selects(policy.podSelector, labels))
    .flatMap(({ policy }) => policy.egress ?? [])
}

export const networkRules: readonly Rule[] = [defaultDeny, somebody, ports, database, internet]
