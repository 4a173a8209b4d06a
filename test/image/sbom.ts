/**
 * `npm run sbom`: prints the software bill of materials of the image as CycloneDX 1.5: every package that it holds, with the
 * hash that the lockfile demands. Works offline. (`npm sbom --omit=dev` leaves out packages that development needs as well.)
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Package, productionPackages, root } from './production.ts'

/** The document; the same for the same lockfile. */
export function billOfMaterials(): object {
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    name: string
    version: string
    license: string
  }
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        type: 'application',
        'bom-ref': `${own.name}@${own.version}`,
        name: own.name,
        version: own.version,
        licenses: [{ license: { id: own.license } }],
      },
    },
    components: productionPackages().map(component),
  }
}

function component({ place, name, version, entry }: Package): object {
  const [group, rest] = name.startsWith('@') ? name.split('/') : [undefined, name]
  const [algorithm, hash] = entry.integrity!.split(' ')[0]!.split('-') as [string, string]
  return {
    type: 'library',
    'bom-ref': place,
    ...(group !== undefined && { group }),
    name: rest,
    version,
    purl: `pkg:npm/${group === undefined ? '' : `${encodeURIComponent(group)}/`}${rest}@${version}`,
    hashes: [{ alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(hash, 'base64').toString('hex') }],
    ...(entry.license !== undefined && { licenses: [{ expression: entry.license }] }),
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  console.log(JSON.stringify(billOfMaterials(), null, 2))
