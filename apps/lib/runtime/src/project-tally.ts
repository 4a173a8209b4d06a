/** How much mail projects submit: the busiest by their ids, the others together. */
import type { Registry } from './metrics.ts'
import { type Tally, TallyCounter } from './tally.ts'
import { TopNames } from './top-names.ts'

/** Projects with series of their own in each process; with every outcome of theirs that is a few hundred series. */
export const topProjects = 50

/** The counter of accepted messages by project, the same in each app that accepts any. */
export function acceptedByProject(registry: Registry): TopNames<Tally> {
  const counter = new TallyCounter<'project'>({
    name: 'postel_messages_by_project_total',
    help: 'Messages accepted, by project: the busiest ones, and the others together',
    registers: [registry],
  })
  return new TopNames({
    limit: topProjects,
    make: (project) => counter.series({ project }),
    drop: (tally) => counter.remove(tally),
  })
}
