/** Mail that was submitted with a test key: it goes to the sandbox mailbox and nowhere else (messages.test). */

/** What stands for the domain of each of its recipients, so that no other mail waits with it. Never in DNS (RFC 6761). */
export const testDomain = 'sandbox.postel.invalid'

/** Before its idempotency keys, so that no test keeps live mail from being sent. No client can say a control character. */
export const testKeyPrefix = '\u0001'
