/** For tests of what hostile input costs. */

/**
 * What a reading in linear time of the sizes used here takes on any machine, by far: 10 ms is the most of them on a usual one.
 * One in quadratic time takes seconds.
 */
export const soonMs = 400

/** The CPU milliseconds of the fastest of three runs: pauses are none, and a busy machine slows one, never speeds one up. */
export function fastestOfThree(run: () => unknown): number {
  const times = [0, 1, 2].map(() => {
    const before = process.threadCpuUsage()
    run()
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / 1000
  })
  return Math.min(...times)
}
