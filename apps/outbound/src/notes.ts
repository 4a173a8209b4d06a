/** Writes down every few seconds what was learned of sites and destinations; losing some of it costs nothing. */
import type { FoundDestination } from './directory.ts'
import type { SiteRecord } from './site.ts'

const everyMs = 2_000

export type NotesOptions = {
  takeSites: () => SiteRecord[]
  /** These could not be written down. */
  untell: (sites: SiteRecord[]) => void
  takeDestinations: () => FoundDestination[]
  saveSites: (sites: SiteRecord[]) => Promise<void>
  saveDestinations: (found: FoundDestination[]) => Promise<void>
  onError: (error: unknown) => void
}

export class Notes {
  readonly #options: NotesOptions
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined

  constructor(options: NotesOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), everyMs)
  }

  /** Never rejects. */
  flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
    return this.#writing
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#writing
    await this.flush()
  }

  async #write(): Promise<void> {
    const { takeSites, untell, takeDestinations, saveSites, saveDestinations, onError } = this.#options
    const sites = takeSites()
    const found = takeDestinations()
    try {
      if (sites.length > 0) await saveSites(sites)
      if (found.length > 0) await saveDestinations(found)
    } catch (error) {
      untell(sites)
      onError(error)
    }
  }
}
