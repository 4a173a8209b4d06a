// Gives a failure test a PostgreSQL server of its own, to stop, kill and start again.
import type { Binaries } from '../embedded/binaries.ts'
import type { PostgresCluster } from '../embedded/cluster.ts'
import { migrate } from '../migrate.ts'
import { startThrowAwayCluster, testBinaries } from './server.ts'

/** Settings by name, over those of PostgresCluster; fsync is on unless turned off here. */
export interface TestClusterOptions {
  settings?: Readonly<Record<string, string | number>>
  /** False leaves the database "postel" empty. Default true. */
  migrated?: boolean
  /** Another installation of PostgreSQL than the tests' own. */
  binaries?: Binaries
}

/** `url` stays the same over restarts of the cluster. `dispose` stops it if need be and removes its files. */
export interface TestCluster extends AsyncDisposable {
  cluster: PostgresCluster
  url: string
  dispose(): Promise<void>
}

/** Starts a durable server with a migrated database, about 1.5 s. It also goes away if the test process dies. */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const settings = { shared_buffers: '64MB', ...options.settings }
  const { cluster, dispose } = await startThrowAwayCluster(settings, options.binaries ?? testBinaries())
  try {
    if (options.migrated ?? true) await migrate(cluster.url)
  } catch (error) {
    await dispose()
    throw error
  }
  return { cluster, url: cluster.url, dispose, [Symbol.asyncDispose]: dispose }
}
