import { expect, test } from '@jest/globals'
import type { OutboundQueries, Outcome } from '@postel/db/queries/outbound'
import type { OutboundEvents } from './events.ts'
import { Recorder } from './recorder.ts'

const outcome = (id: number) => ({ id }) as Outcome

test.each([0, 1, 2, 3, 4, 5, 6])(
  'what is added %i turns after a batch was recorded is recorded too',
  async (turns) => {
    const recorded: number[] = []
    const recorder = new Recorder({
      queries: { record: async () => ({ due: [], events: [] }) } as unknown as OutboundQueries,
      events: {} as OutboundEvents,
      onRecorded: (outcomes) => {
        recorded.push(...outcomes.map(({ id }) => id))
        if (recorded.length > 1) return
        const add = (left: number) => {
          if (left === 0) recorder.add(outcome(2))
          else queueMicrotask(() => add(left - 1))
        }
        add(turns)
      },
    })
    recorder.add(outcome(1))
    await recorder.flush(5_000)
    // All turns have been
    await new Promise(setImmediate)
    await recorder.flush(5_000)
    expect([recorded, recorder.count]).toEqual([[1, 2], 0])
  },
)
