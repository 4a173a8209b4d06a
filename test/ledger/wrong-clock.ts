/**
 * Loaded into a process before anything else: its wall clock is wrong by CLOCK_OFF_MINUTES, and jumps by CLOCK_JUMP_MINUTES
 * at SIGUSR2. Its monotonic clock stays right, as on a machine whose time was set wrongly.
 */
let offMs = Number(process.env.CLOCK_OFF_MINUTES ?? 0) * 60_000

const RightDate = Date
const wrongNow = () => RightDate.now() + offMs

globalThis.Date = new Proxy(RightDate, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [wrongNow()] : args, newTarget),
  apply: () => new RightDate(wrongNow()).toString(),
  get: (target, name, receiver) => (name === 'now' ? wrongNow : Reflect.get(target, name, receiver)),
})

process.on('SIGUSR2', () => {
  offMs += Number(process.env.CLOCK_JUMP_MINUTES ?? 0) * 60_000
})

export {}
