/** `npm run schema:check`: fails when the tables in src/schema have no migration yet. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(root, '.schema-check-'))
try {
  cpSync(join(root, 'migrations'), join(folder, 'migrations'), { recursive: true })
  const config = join(folder, 'drizzle.config.json')
  writeFileSync(
    config,
    JSON.stringify({
      dialect: 'postgresql',
      schema: './src/schema/index.ts',
      out: `./${folder.slice(root.length)}/migrations`,
      casing: 'snake_case',
      schemaFilter: ['postel'],
    }),
  )
  const before = readdirSync(join(folder, 'migrations')).length
  const result = spawnSync('npx', ['drizzle-kit', 'generate', '--config', config], {
    cwd: root,
    encoding: 'utf8',
  })
  if (result.status !== 0) throw new Error(result.stderr || result.stdout)
  if (readdirSync(join(folder, 'migrations')).length !== before) {
    console.error(
      'The tables in db/src/schema have no migration: run `npm run db:generate -- --name what_changed`.',
    )
    process.exitCode = 1
  } else {
    console.log('The migrations match db/src/schema.')
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
