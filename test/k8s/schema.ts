/** Kubernetes' API schema, strictly: required fields, types, formats, enumerations, and no field that it does not know. */
import type { Manifest } from './manifests.ts'
import { titleOf } from './manifests.ts'

type SchemaError = { instancePath: string; keyword: string; params: unknown }
type Validate = { (data: unknown): boolean; errors?: SchemaError[] | null }

/** Groups of Kubernetes itself. Everything else is a custom resource, which a bare cluster does not know. */
const builtIn = new Set([
  '',
  'apps',
  'autoscaling',
  'batch',
  'networking.k8s.io',
  'policy',
  'rbac.authorization.k8s.io',
  'scheduling.k8s.io',
])

const groupOf = (apiVersion: string) => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '')

export function isBuiltIn({ apiVersion }: Manifest): boolean {
  return builtIn.has(groupOf(apiVersion))
}

/** What Kubernetes would not accept, a line each; nothing for custom resources, whose schema it learns from its cluster. */
export async function schemaProblems(manifest: Manifest): Promise<string[]> {
  if (!isBuiltIn(manifest)) return []
  const { apiVersion, kind } = manifest
  const group = groupOf(apiVersion).split('.')[0] || 'core'
  const version = apiVersion.split('/').at(-1)!
  const module = `kubernetes-models/_schemas/IoK8sApi${capital(group)}${capital(version)}${kind}`
  const validate = await import(module).then(
    (found: { validate: Validate }) => found.validate,
    () => undefined,
  )
  const title = titleOf(manifest)
  if (!validate) return [`${title}: there is no ${kind} in ${apiVersion}`]
  const { watched, unread } = watch(kind === 'Secret' ? unfolded(manifest) : manifest)
  const errors = validate(watched) ? [] : (validate.errors ?? [])
  return [
    ...errors.map(
      ({ instancePath, keyword, params }) => `${title} ${instancePath}: ${keyword} ${JSON.stringify(params)}`,
    ),
    ...unread().map((path) => `${title} ${path}: unknown field`),
  ]
}

/** kustomize folds long base64, which Kubernetes reads and the schema's format does not know. */
function unfolded(secret: Manifest): Manifest {
  const data = Object.entries(secret.data ?? {}).map(([key, text]) => [key, text.replaceAll('\n', '')])
  return { ...secret, data: Object.fromEntries(data) }
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/**
 * The validators let unknown fields pass, but look at each one that they know: what they have not looked at is unknown.
 * (They look at every entry of maps such as labels.)
 */
function watch(value: object): { watched: unknown; unread: () => string[] } {
  const objects = new Map<string, { keys: string[]; read: Set<string>; proxy: unknown }>()
  const at = (inner: unknown, path: string): unknown => {
    if (inner === null || typeof inner !== 'object') return inner
    const known = objects.get(path)
    if (known) return known.proxy
    const read = new Set<string>()
    const proxy = new Proxy(inner, {
      get: (target, key) => {
        if (typeof key !== 'string') return Reflect.get(target, key)
        read.add(key)
        return at(Reflect.get(target, key), `${path}/${key}`)
      },
    })
    objects.set(path, { keys: Array.isArray(inner) ? [] : Object.keys(inner), read, proxy })
    return proxy
  }
  return {
    watched: at(value, ''),
    unread: () =>
      [...objects].flatMap(([path, { keys, read }]) =>
        keys.filter((key) => !read.has(key)).map((key) => `${path}/${key}`),
      ),
  }
}
