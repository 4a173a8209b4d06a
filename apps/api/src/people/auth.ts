/** better-auth as Postel uses it: passwords, one-time codes, passkeys, identities elsewhere, sessions. */
import { passkey } from '@better-auth/passkey'
import { isBlocked, isInvited } from '@postel/db/queries/people'
import { APIError, createAuthMiddleware } from 'better-auth/api'
import { betterAuth } from 'better-auth/minimal'
import { genericOAuth } from 'better-auth/plugins/generic-oauth'
import { twoFactor } from 'better-auth/plugins/two-factor'
import { Problem } from '../problem.ts'
import { authDatabase } from './auth-database.ts'
import {
  type AuthOptions,
  addressHeader,
  cookiePrefix,
  discoveryUrl,
  type OidcOptions,
} from './auth-options.ts'
import { authSecrets } from './auth-secrets.ts'
import { linkSeconds, newAddressMail, passwordChangedMail, resetMail, verificationMail } from './mails.ts'
import {
  hashPassword,
  maxPasswordCharacters,
  minPasswordCharacters,
  passwordProblem,
  verifyPassword,
} from './passwords.ts'
import type { SystemMail, SystemMailText } from './system-mail.ts'

const sessionSeconds = 7 * 86_400

/** What needs mail to be sent: refused with what to set where that cannot be. */
const mailing = new Set([
  '/sign-up/email',
  '/request-password-reset',
  '/send-verification-email',
  '/change-email',
])
/** What is written into the audit log once it has succeeded. */
const noted: Record<string, string> = {
  '/change-password': 'person.password_changed',
  '/two-factor/verify-totp': 'person.totp_verified',
  '/two-factor/disable': 'person.two_factor_disabled',
  '/two-factor/generate-backup-codes': 'person.backup_codes_made',
  '/passkey/verify-registration': 'person.passkey_added',
  '/passkey/delete-passkey': 'person.passkey_deleted',
}

export type Auth = ReturnType<typeof createAuth>

export function createAuth(options: AuthOptions) {
  const { sql, publicUrl, signUp, github, oidc, systemMail } = options
  const { hostname, origin } = new URL(publicUrl)
  const mail = async (text: SystemMailText) => options.inBackground(systemMail.send(text))

  return betterAuth({
    appName: 'Postel',
    baseURL: `${publicUrl}/auth`,
    basePath: '/auth',
    secrets: authSecrets(options.secrets),
    database: authDatabase(options.authSql),
    trustedOrigins: [origin],
    telemetry: { enabled: false },
    // Without a level: with one, it writes to the console besides
    logger: { log: options.log },
    emailAndPassword: {
      enabled: true,
      disableSignUp: signUp === 'invitation',
      requireEmailVerification: true,
      autoSignIn: false,
      minPasswordLength: minPasswordCharacters,
      maxPasswordLength: maxPasswordCharacters,
      password: { hash: hashPassword, verify: verifyPassword },
      resetPasswordTokenExpiresIn: linkSeconds,
      revokeSessionsOnPasswordReset: true,
      sendResetPassword: ({ user, token }) =>
        // In the fragment, which no server and no log ever sees
        mail(resetMail(user.email, `${publicUrl}/reset-password#token=${token}`)),
      onPasswordReset: ({ user }) => mail(passwordChangedMail(user.email)),
    },
    emailVerification: {
      sendOnSignUp: true,
      expiresIn: linkSeconds,
      sendVerificationEmail: ({ user, url }) => mail(verificationMail(user.email, url)),
    },
    user: {
      changeEmail: {
        enabled: true,
        sendChangeEmailConfirmation: ({ user, newEmail, url }) =>
          mail(newAddressMail(user.email, newEmail, url)),
      },
    },
    account: {
      encryptOAuthTokens: true,
      // A hold on somebody's identity elsewhere must not get around the second factor here: people link while signed in
      accountLinking: { disableImplicitLinking: true },
    },
    verification: { storeIdentifier: 'hashed' },
    session: { expiresIn: sessionSeconds, updateAge: 86_400 },
    ...(github && { socialProviders: { github } }),
    plugins: [
      twoFactor({ issuer: 'Postel' }),
      passkey({ rpID: hostname, rpName: 'Postel', origin }),
      ...(oidc ? [genericOAuth({ config: [oidcProvider(oidc)] })] : []),
    ],
    rateLimit: {
      enabled: true,
      storage: 'database',
      window: 60,
      max: 300,
      customRules: {
        '/sign-in/*': { window: 60, max: 10 },
        '/sign-up/*': { window: 60, max: 5 },
        '/two-factor/*': { window: 60, max: 10 },
        '/passkey/verify-authentication': { window: 60, max: 10 },
        '/request-password-reset': { window: 60, max: 3 },
        '/send-verification-email': { window: 60, max: 3 },
        '/reset-password': { window: 60, max: 10 },
        '/change-password': { window: 60, max: 5 },
      },
    },
    databaseHooks: {
      user: {
        create: {
          before: async (user) => {
            if (signUp === 'invitation' && !(await isInvited(sql, user.email)))
              throw new APIError('FORBIDDEN', {
                code: 'BY_INVITATION_ONLY',
                message: 'Accounts are for invited people only.',
              })
          },
        },
      },
      session: {
        create: {
          before: async (session) => {
            if (await isBlocked(sql, session.userId))
              throw new APIError('FORBIDDEN', { code: 'BLOCKED', message: 'This account is blocked.' })
          },
        },
      },
    },
    hooks: {
      before: createAuthMiddleware(async (ctx) => {
        if (mailing.has(ctx.path)) await requireMail(systemMail)
        const password: unknown =
          ctx.body?.newPassword ?? (ctx.path === '/sign-up/email' ? ctx.body?.password : undefined)
        if (typeof password === 'string') {
          const problem = passwordProblem(password, ctx.body?.email)
          if (problem !== undefined)
            throw new APIError('BAD_REQUEST', { code: 'PASSWORD_NOT_ACCEPTED', message: problem })
        }
        // Whoever knew the old password is out
        if (ctx.path === '/change-password')
          return { context: { body: { ...ctx.body, revokeOtherSessions: true } } }
      }),
      after: createAuthMiddleware(async (ctx) => {
        const action = noted[ctx.path]
        const user = ctx.context.newSession?.user ?? ctx.context.session?.user
        if (action === undefined || !user || ctx.context.returned instanceof APIError) return
        await options.onChange(user.id, action, ctx.headers ?? new Headers())
        if (ctx.path === '/change-password') await mail(passwordChangedMail(user.email))
      }),
    },
    advanced: {
      cookiePrefix,
      useSecureCookies: origin.startsWith('https:'),
      // Tests must meet the same checks as everybody
      disableOriginCheck: false,
      disableCSRFCheck: false,
      ipAddress: { ipAddressHeaders: [addressHeader] },
      // The database makes ids, by its clock
      database: { generateId: false },
      backgroundTasks: { handler: options.inBackground },
    },
  })
}

function oidcProvider({ issuer, clientId, clientSecret, name }: OidcOptions) {
  return {
    providerId: 'oidc',
    name,
    discoveryUrl: discoveryUrl(issuer),
    requireIdTokenVerification: true,
    clientId,
    clientSecret,
    scopes: ['openid', 'email', 'profile'],
    pkce: true,
  }
}

async function requireMail(systemMail: SystemMail): Promise<void> {
  try {
    await systemMail.sender()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    throw new APIError('SERVICE_UNAVAILABLE', { code: 'NO_SYSTEM_MAIL', message: error.message })
  }
}
