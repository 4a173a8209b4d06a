/** lock → ports → Postgres → schema → apps → screen; and back. */
import { type App, type AppContext, apps as allApps, spawnApp } from './apps.ts'
import type { StandaloneConfig } from './config.ts'
import { EmbeddedDatabase } from './embedded-database.ts'
import { choosePorts } from './ports.ts'
import { expireHolders, prepareDatabase } from './prepare-database.ts'
import { claimDataDir, outliveOrphans, removeRunState, writeRunState } from './run-state.ts'
import { readyScreen } from './screen.ts'
import { keepSecrets } from './secrets.ts'
import { sourceAddresses } from './source-addresses.ts'
import { Supervisor } from './supervisor.ts'
import type { AppOutput, Terminal } from './terminal.ts'

const graceMs = 80_000

/** Everything on one machine. `stop` may be called at any time, also while it starts and after a start that failed. */
export class StandaloneService {
  readonly #config: StandaloneConfig
  readonly #terminal: Terminal
  readonly #apps: readonly App[]
  readonly #stopped = new AbortController()
  /** Set while the data directory is ours. */
  #release: (() => void) | undefined
  #database: EmbeddedDatabase | undefined
  #supervisors: Supervisor[] = []
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor(config: StandaloneConfig, terminal: Terminal, apps: readonly App[] = allApps) {
    this.#config = config
    this.#terminal = terminal
    this.#apps = apps
  }

  /** Resolves when every app works and the screen has said how to use them. Its errors are for the operator. */
  start(): Promise<void> {
    this.#starting = this.#start()
    return this.#starting
  }

  /** Ends the apps in order, then Postgres; what they were about to send is sent or left for the next start. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** Ends everything now, as a crash would. */
  async kill(): Promise<void> {
    this.#stopped.abort()
    for (const supervisor of this.#supervisors) supervisor.kill()
    await this.#database?.kill()
  }

  async #start(): Promise<void> {
    const config = this.#config
    const { signal } = this.#stopped
    this.#release = claimDataDir(config.POSTEL_DATA_DIR)
    this.#terminal.say(`Postel is starting; its data is in ${config.POSTEL_DATA_DIR}.`)
    await outliveOrphans(config.POSTEL_DATA_DIR, () =>
      this.#terminal.say('Waiting for the processes of an earlier run to end …'),
    )
    signal.throwIfAborted()
    const ports = await choosePorts(config)
    const secrets = keepSecrets(config)
    const addresses = await sourceAddresses(config)
    signal.throwIfAborted()

    const { databaseUrl, databaseDirectUrl } = await this.#startDatabase()
    const { secret } = secrets
    const context: AppContext = { config, ports, databaseUrl, databaseDirectUrl, secret, addresses }
    signal.throwIfAborted()
    const principal = await prepareDatabase(databaseDirectUrl, config, secrets, addresses)
    signal.throwIfAborted()

    this.#supervisors = this.#apps.map((app) => this.#supervise(app, context))
    this.#onDatabaseMoved = (url) => {
      context.databaseUrl = url
      context.databaseDirectUrl = url
      for (const supervisor of this.#supervisors) supervisor.restart()
    }
    await Promise.all(this.#supervisors.map((supervisor) => supervisor.start()))
    signal.throwIfAborted()
    this.#terminal.say(readyScreen({ config, ports, secrets, principal, logFile: this.#terminal.logFile }))
  }

  #onDatabaseMoved = (_url: string) => {}

  async #startDatabase(): Promise<Pick<AppContext, 'databaseUrl' | 'databaseDirectUrl'>> {
    const { POSTEL_DATA_DIR, DATABASE_URL, DATABASE_DIRECT_URL } = this.#config
    if (DATABASE_URL)
      return { databaseUrl: DATABASE_URL, databaseDirectUrl: DATABASE_DIRECT_URL ?? DATABASE_URL }
    const database = new EmbeddedDatabase(POSTEL_DATA_DIR, this.#terminal, (url) =>
      this.#onDatabaseMoved(url),
    )
    this.#database = database
    await database.start()
    return { databaseUrl: database.url, databaseDirectUrl: database.url }
  }

  #supervise(app: App, context: AppContext): Supervisor {
    const { name } = app
    const terminal = this.#terminal
    let worked = false
    let output: AppOutput | undefined
    return new Supervisor({
      name,
      spawn: () => {
        const child = spawnApp(app, context)
        output = terminal.attach(name, child)
        if (worked) output.started()
        return child
      },
      ...(name === 'outbound' && { prepare: () => this.#freeHolds(context) }),
      onSpawned: () => this.#writeState(context),
      onStarted: () => {
        worked = true
        output?.started()
      },
      onExit: (how, restartMs) =>
        terminal.warn('app_ended', `${name} ended (${how}); it is started again in ${restartMs} ms`),
      lastWords: () => output?.tail() ?? '',
    })
  }

  /** Only where no other machine or standalone can have outbound processes under this node's name. */
  async #freeHolds(context: AppContext): Promise<void> {
    if (!this.#database) return
    await expireHolders(context.databaseDirectUrl, this.#config.NODE_NAME).catch((error) =>
      this.#terminal.note('expire_holders_failed', String(error), 'standalone', 40),
    )
  }

  #writeState({ databaseDirectUrl: databaseUrl, ports }: AppContext): void {
    const appPids = this.#supervisors.map(({ pid }) => pid).filter((pid) => pid !== undefined)
    try {
      writeRunState(this.#config.POSTEL_DATA_DIR, { databaseUrl, ports, appPids })
    } catch (error) {
      this.#terminal.warn(
        'state_not_written',
        `${(error as Error).message}: npm run psql will not find this run`,
      )
    }
  }

  async #stop(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#supervisors.map((supervisor) => supervisor.stop(graceMs)))
    await this.#starting?.catch(() => {})
    await this.#database?.stop()
    if (!this.#release) return
    removeRunState(this.#config.POSTEL_DATA_DIR)
    this.#release()
  }
}
