/** A child that ends is started again, ever later, until it is to stop. */
import { EventEmitter } from 'node:events'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { type Child, RestartDelay, Supervisor, type SupervisorOptions } from './supervisor.ts'

class FakeChild extends EventEmitter {
  readonly pid = 1
  readonly signals: string[] = []
  /** Signals that end it. */
  heeds = ['SIGTERM', 'SIGKILL']

  kill = (signal: string) => {
    this.signals.push(signal)
    if (this.heeds.includes(signal)) this.emit('close', null, signal)
    return true
  }

  becomeReady(): void {
    this.emit('message', { event: 'started' })
  }
}

let children: FakeChild[]
let exits: string[]

beforeEach(() => {
  jest.useFakeTimers()
  children = []
  exits = []
})

afterEach(() => {
  expect(jest.getTimerCount()).toBe(0)
  jest.useRealTimers()
})

function supervise(options: Partial<SupervisorOptions> = {}): Supervisor {
  return new Supervisor({
    name: 'app',
    spawn: () => {
      const child = new FakeChild()
      children.push(child)
      return child as unknown as Child
    },
    onExit: (how, restartMs) => exits.push(`${how}, ${restartMs}`),
    ...options,
  })
}

/** A supervisor whose first child works. */
async function started(options?: Partial<SupervisorOptions>): Promise<Supervisor> {
  const supervisor = supervise(options)
  const start = supervisor.start()
  await jest.advanceTimersByTimeAsync(0)
  children[0]!.becomeReady()
  await start
  return supervisor
}

test('the wait doubles from 100 ms to 10 s and begins anew after a minute up', () => {
  const delay = new RestartDelay()
  const waits = Array.from({ length: 9 }, () => delay.next(0))
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
  expect(delay.next(59_999)).toBe(10_000)
  expect(delay.next(60_000)).toBe(100)
  expect(delay.next(0)).toBe(200)
})

test('a child that ends is started again after the wait', async () => {
  const supervisor = await started()
  children[0]!.emit('close', 1, null)
  await jest.advanceTimersByTimeAsync(99)
  expect(children).toHaveLength(1)
  await jest.advanceTimersByTimeAsync(1)
  expect(children).toHaveLength(2)
  children[1]!.emit('close', null, 'SIGKILL')
  await jest.advanceTimersByTimeAsync(200)
  expect(children).toHaveLength(3)
  expect(exits).toEqual(['exit code 1, 100', 'ended by SIGKILL, 200'])
  await supervisor.stop(1000)
})

test('a child that cannot be made counts as one that ended', async () => {
  let fail = false
  const supervisor = await started({
    spawn: () => {
      if (fail) throw new Error('EAGAIN')
      const child = new FakeChild()
      children.push(child)
      return child as unknown as Child
    },
  })
  fail = true
  children[0]!.emit('close', 0, null)
  await jest.advanceTimersByTimeAsync(300)
  expect(exits).toEqual(['exit code 0, 100', 'Error: EAGAIN, 200', 'Error: EAGAIN, 400'])
  await supervisor.stop(1000)
})

test('a child that ends before it works is not started again, and its last words say why', async () => {
  const supervisor = supervise({ lastWords: () => 'Port 25 is taken' })
  const start = expect(supervisor.start()).rejects.toThrow('app could not start: Port 25 is taken')
  await jest.advanceTimersByTimeAsync(0)
  children[0]!.emit('close', 1, null)
  await start
  expect(exits).toEqual([])
})

test('a child that never says that it works is killed', async () => {
  const supervisor = supervise({ startMs: 5000 })
  const start = expect(supervisor.start()).rejects.toThrow('app could not start: it was not ready after 5 s')
  await jest.advanceTimersByTimeAsync(5000)
  await start
  expect(children[0]!.signals).toEqual(['SIGKILL'])
})

test('stop asks first and kills when the grace is over', async () => {
  const supervisor = await started()
  children[0]!.heeds = ['SIGKILL']
  const stop = supervisor.stop(80_000)
  await jest.advanceTimersByTimeAsync(79_999)
  expect(children[0]!.signals).toEqual(['SIGTERM'])
  await jest.advanceTimersByTimeAsync(1)
  await stop
  expect(children[0]!.signals).toEqual(['SIGTERM', 'SIGKILL'])
  expect(exits).toEqual([])
})

test('stop during the wait starts nothing more', async () => {
  const supervisor = await started()
  children[0]!.emit('close', 1, null)
  await jest.advanceTimersByTimeAsync(50)
  await supervisor.stop(1000)
  await jest.advanceTimersByTimeAsync(10_000)
  expect(children).toHaveLength(1)
})

test('a stop before the child works is told as that, whatever the child said meanwhile', async () => {
  const supervisor = supervise({ lastWords: () => 'the database is away' })
  const start = expect(supervisor.start()).rejects.toThrow('app was stopped')
  await jest.advanceTimersByTimeAsync(0)
  await supervisor.stop(1000)
  await start
  expect(children[0]!.signals).toEqual(['SIGTERM'])
})

test('what must precede a start is waited for, each time', async () => {
  const order: string[] = []
  const supervisor = await started({
    prepare: async () => {
      order.push('prepared')
    },
    onSpawned: () => order.push('spawned'),
  })
  children[0]!.emit('close', 1, null)
  await jest.advanceTimersByTimeAsync(100)
  expect(order).toEqual(['prepared', 'spawned', 'prepared', 'spawned'])
  await supervisor.stop(1000)
})
