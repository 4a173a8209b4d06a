// Stops what global-setup.ts has started.
import type {} from './global-setup.ts'

/** Jest's globalTeardown: the server and its files are gone when it returns. */
export default async function globalTeardown(): Promise<void> {
  await globalThis.postelTestServer?.stop()
}
