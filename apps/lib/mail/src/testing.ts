/** For tests of what hostile input costs. */

/** The wall-clock milliseconds of the fastest of three runs: a busy machine slows one, never speeds one up. */
export function fastestOfThree(run: () => unknown): number {
  const times = [0, 1, 2].map(() => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
  return Math.min(...times)
}
