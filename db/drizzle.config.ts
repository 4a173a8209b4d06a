/** drizzle-kit: `npm run db:generate` writes the next numbered migration from the tables in src/schema. */
import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'postgresql',
  schema: './src/schema/index.ts',
  out: './migrations',
  casing: 'snake_case',
  schemaFilter: ['postel'],
})
