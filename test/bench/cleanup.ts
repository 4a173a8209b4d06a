/** What a benchmark has started and made, so that nothing of it is left however the benchmark ends. */

/** Undoes one thing; safe to call again. */
export type Undo = () => Promise<void>

/** A stack of things to undo. */
export class Cleanup {
  readonly #steps: Undo[] = []
  #closed = false

  /**
   * Remembers a step for `run`; the function returned does it now instead, once. Once `run` has begun the step is done at
   * once and this throws: what has been started then came too late.
   */
  defer(step: () => void | Promise<void>): Undo {
    let done: Promise<void> | undefined
    const undo = () => {
      done ??= (async () => {
        await step()
        const index = this.#steps.indexOf(undo)
        if (index >= 0) this.#steps.splice(index, 1)
      })()
      return done
    }
    if (this.#closed) {
      void undo()
      throw new Error('interrupted')
    }
    this.#steps.push(undo)
    return undo
  }

  /** Does all steps that are left, the newest first. One that fails is told on stderr and does not stop the others. */
  async run(): Promise<void> {
    this.#closed = true
    for (let undo = this.#steps.pop(); undo; undo = this.#steps.pop()) {
      try {
        await undo()
      } catch (error) {
        console.error(error)
      }
    }
  }
}
