// Starts the tests' PostgreSQL server once per Jest run and tells the test processes where it is.
import { prepareTemplate, startTestServer, type TestServer } from './server.ts'

declare global {
  /** Carries the server from the setup to the teardown: Jest loads the two apart. */
  var postelTestServer: TestServer | undefined
}

/** Jest's globalSetup: sets POSTEL_TEST_SERVER_URL, to a server that holds the migrated template. */
export default async function globalSetup(): Promise<void> {
  const server = await startTestServer()
  globalThis.postelTestServer = server
  try {
    await prepareTemplate(server.url)
  } catch (error) {
    await server.stop()
    throw error
  }
  process.env.POSTEL_TEST_SERVER_URL = server.url
  process.stderr.write(`PostgreSQL for the tests: ${server.description}\n`)
}
