/** users, sessions, accounts, verifications, two_factors, passkeys: people's accounts, as better-auth keeps them. */
import { bigint, boolean, index, integer, text, unique, uuid } from 'drizzle-orm/pg-core'
import { createdAt, instant, postel, uuidV7 } from './columns.ts'

export const users = postel.table('users', {
  id: uuidV7().primaryKey(),
  name: text().notNull(),
  /** Lower-case. */
  email: text().notNull().unique('users_email_unique'),
  emailVerified: boolean().notNull().default(false),
  image: text(),
  twoFactorEnabled: boolean().notNull().default(false),
  /** May see and change everything of every organization. */
  platformAdmin: boolean().notNull().default(false),
  /** Cannot sign in; its sessions are dead. */
  blocked: boolean().notNull().default(false),
  createdAt: createdAt(),
  updatedAt: createdAt(),
})

export const sessions = postel.table(
  'sessions',
  {
    id: uuidV7().primaryKey(),
    userId: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** As SHA-256: what the cookie holds is nowhere. */
    token: text().notNull().unique('sessions_token_unique'),
    expiresAt: instant().notNull(),
    ipAddress: text(),
    userAgent: text(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [index('sessions_user_id').on(t.userId)],
)

/** How a person signs in: `credential` with a password hash, or an identity elsewhere. */
export const accounts = postel.table(
  'accounts',
  {
    id: uuidV7().primaryKey(),
    userId: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    accountId: text().notNull(),
    providerId: text().notNull(),
    accessToken: text(),
    refreshToken: text(),
    idToken: text(),
    accessTokenExpiresAt: instant(),
    refreshTokenExpiresAt: instant(),
    scope: text(),
    /** scrypt, with its parameters and salt. */
    password: text(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [
    index('accounts_user_id').on(t.userId),
    unique('accounts_identity_once').on(t.providerId, t.accountId),
  ],
)

export const verifications = postel.table(
  'verifications',
  {
    id: uuidV7().primaryKey(),
    /** As SHA-256: links and codes are nowhere. */
    identifier: text().notNull(),
    value: text().notNull(),
    expiresAt: instant().notNull(),
    createdAt: createdAt(),
    updatedAt: createdAt(),
  },
  (t) => [index('verifications_identifier').on(t.identifier)],
)

export const twoFactors = postel.table(
  'two_factors',
  {
    id: uuidV7().primaryKey(),
    userId: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** Both encrypted by better-auth. */
    secret: text().notNull(),
    backupCodes: text().notNull(),
    verified: boolean().notNull().default(true),
    failedVerificationCount: integer().notNull().default(0),
    lockedUntil: instant(),
  },
  (t) => [index('two_factors_user_id').on(t.userId)],
)

export const passkeys = postel.table(
  'passkeys',
  {
    id: uuidV7().primaryKey(),
    userId: uuid()
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    name: text(),
    publicKey: text().notNull(),
    credentialId: text().notNull().unique('passkeys_credential_id_unique'),
    counter: integer().notNull(),
    deviceType: text().notNull(),
    backedUp: boolean().notNull(),
    transports: text(),
    aaguid: text(),
    createdAt: createdAt(),
  },
  (t) => [index('passkeys_user_id').on(t.userId)],
)

/** Tries of sign-in and the like, counted by better-auth for all processes. */
export const authRateLimits = postel.table('auth_rate_limits', {
  id: uuidV7().primaryKey(),
  key: text().notNull().unique('auth_rate_limits_key_unique'),
  count: integer().notNull(),
  lastRequest: bigint({ mode: 'number' }).notNull(),
})
