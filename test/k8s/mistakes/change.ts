/** Ways to break one thing in manifests. A path is steps with dots between them, a step with dots of its own in [brackets]. */
import type { Manifest } from '../manifests.ts'

export type Change = (manifests: Manifest[]) => void

/** Its name, the change, and what a rule must say about it. */
export type Mistake = readonly [name: string, change: Change, problem: string]

export const pod = 'spec.template.spec'
export const container = `${pod}.containers.0`

/** An object, by "Kind/name", or "Kind/namespace/name" where that says too little. Generated names may lack their hash. */
export function objectOf(manifests: Manifest[], object: string): Manifest {
  const [kind, ...place] = object.split('/')
  const name = place.at(-1)!
  const namespace = place.length === 2 ? place[0] : undefined
  return manifests.find(
    (manifest) =>
      manifest.kind === kind &&
      manifest.metadata.name.replace(/-[a-z0-9]{10}$/, '') === name &&
      (namespace === undefined || manifest.metadata.namespace === namespace),
  )!
}

/** Where the path leads: its last step, and what has it. */
function place(root: object, path: string): [Record<string, unknown>, string] {
  const steps = path.split(/[.](?![^[]*])/).map((step) => step.replace(/^\[|\]$/g, ''))
  const last = steps.pop()!
  const parent = steps.reduce(
    (value, step) => {
      const next = value[step] as Record<string, unknown> | undefined
      if (next === undefined) throw new Error(`no ${step} in ${path}`)
      return next
    },
    root as Record<string, unknown>,
  )
  return [parent, last]
}

export const set =
  (object: string, path: string, value: unknown): Change =>
  (manifests) => {
    const [parent, last] = place(objectOf(manifests, object), path)
    parent[last] = value
  }

export const unset =
  (object: string, path: string): Change =>
  (manifests) => {
    const [parent, last] = place(objectOf(manifests, object), path)
    if (!(last in parent)) throw new Error(`no ${last} in ${path}`)
    if (Array.isArray(parent)) parent.splice(Number(last), 1)
    else delete parent[last]
  }

export const append =
  (object: string, path: string, ...values: unknown[]): Change =>
  (manifests) => {
    const [parent, last] = place(objectOf(manifests, object), path)
    parent[last] = [...((parent[last] as unknown[] | undefined) ?? []), ...values]
  }

export const drop =
  (object: string): Change =>
  (manifests) =>
    manifests.splice(manifests.indexOf(objectOf(manifests, object)), 1)

export const add =
  (manifest: Manifest): Change =>
  (manifests) =>
    manifests.push(manifest)

/** The variable of a container, by its name. */
export const variable =
  (object: string, container: number, name: string, change: Record<string, unknown> | undefined): Change =>
  (manifests) => {
    const [parent] = place(objectOf(manifests, object), `spec.template.spec.containers.${container}.env`)
    const env = parent.env as { name: string }[]
    const index = env.findIndex((each) => each.name === name)
    if (index < 0) throw new Error(`no ${name}`)
    env.splice(index, 1, ...(change ? [{ name, ...change } as { name: string }] : []))
  }
