/** dkim_keys: the signing keys of a domain. Private keys are encrypted under POSTEL_SECRET, bound to the domain. */
import { sql } from 'drizzle-orm'
import { boolean, check, text, unique, uuid } from 'drizzle-orm/pg-core'
import { bytea, createdAt, instant, postel, uuidV7 } from './columns.ts'
import { domains } from './domains.ts'

export const dkimKeys = postel.table(
  'dkim_keys',
  {
    id: uuidV7().primaryKey(),
    domainId: uuid()
      .notNull()
      .references(() => domains.id, { onDelete: 'cascade' }),
    selector: text().notNull(),
    algorithm: text().notNull(),
    /** AES-256-GCM, additional data = the domain's name. PKCS#8 PEM inside. */
    privateKey: bytea().notNull(),
    /** base64 as it stands in the p= tag of the DNS record. */
    publicKey: text().notNull(),
    /** It may sign: the newest active key of each algorithm does. A key that we made becomes active once DNS shows it. */
    active: boolean().notNull().default(true),
    /** Whether the domain's owner gave it to us; then it proves nothing about who owns the domain. */
    imported: boolean().notNull().default(false),
    /** A newer one has taken over: DNS should show it until then, and then it is deleted. */
    retiresAt: instant(),
    createdAt: createdAt(),
  },
  (t) => [
    unique('dkim_keys_selector_per_domain').on(t.domainId, t.selector),
    check('dkim_keys_algorithm_valid', sql`${t.algorithm} in ('rsa-sha256', 'ed25519-sha256')`),
  ],
)
