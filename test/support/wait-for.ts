/** Waiting without sleeping: for a condition, with a deadline that tells what was seen last. */
import { setTimeout as pause } from 'node:timers/promises'
import { patience } from '@postel/db/testing/patience'

const everyMs = 20

/** What `look` gives as soon as that is truthy. Rejects after `seconds` times `patience` with the last value, or the last error. */
export async function waitFor<T>(
  look: () => Promise<T> | T,
  seconds = 10,
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const deadline = performance.now() + seconds * patience * 1000
  for (;;) {
    let seen: T | undefined
    let failure: unknown
    try {
      seen = await look()
      if (seen) return seen as Exclude<T, false | null | undefined | 0 | ''>
    } catch (error) {
      failure = error
    }
    if (performance.now() > deadline) {
      if (failure) throw failure
      throw new Error(
        `not within ${seconds * patience} s: ${String(look)}; last seen: ${JSON.stringify(seen)}`,
      )
    }
    await pause(everyMs)
  }
}

/** Waits until `look` gives what JSON-equals `wanted`; for a state that is reached and then stays. */
export async function waitUntilEqual<T>(look: () => Promise<T> | T, wanted: T, seconds = 10): Promise<void> {
  const deadline = performance.now() + seconds * patience * 1000
  const text = JSON.stringify(wanted)
  for (;;) {
    const seen = JSON.stringify(await look())
    if (seen === text) return
    if (performance.now() > deadline)
      throw new Error(`not within ${seconds * patience} s: ${text}; last seen: ${seen}`)
    await pause(everyMs)
  }
}
