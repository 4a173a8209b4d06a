/** ip-manager's business events: each writes its metric and its log line together. */
import type { Fleet, MoveReason, OpenMove } from '@postel/db/queries/fleet'
import type { Logger } from '@postel/runtime/logger'
import { Counter, Gauge, Histogram, type Registry } from '@postel/runtime/metrics'
import { ProviderError } from './provider.ts'
import type { Action } from './reconcile.ts'

/** States in which an IP should be held, so that mail leaves from it. */
const sending = new Set(['active', 'warming', 'draining'])

export class IpManagerEvents {
  readonly #log: Logger
  readonly #leader
  readonly #moves
  readonly #open
  readonly #unheld
  readonly #nodes
  readonly #seconds
  readonly #failures
  readonly #errors

  constructor(log: Logger, registry: Registry) {
    const registers = [registry]
    this.#log = log
    this.#leader = new Gauge({
      name: 'postel_ip_manager_leader',
      help: '1: this process leads. Of all processes together exactly one should',
      registers,
    })
    this.#moves = new Counter({
      name: 'postel_ip_moves_total',
      help: 'Moves of source IPs between nodes by result (done, failed: one call, cancelled) and reason',
      labelNames: ['result', 'reason'] as const,
      registers,
    })
    this.#open = new Gauge({
      name: 'postel_ip_moves_open',
      help: 'Moves of source IPs that have not ended, as the leader sees it',
      registers,
    })
    this.#unheld = new Gauge({
      name: 'postel_ips_unheld',
      help: 'Source IPs that should send and that no process holds, as the leader sees it',
      registers,
    })
    this.#nodes = new Gauge({
      name: 'postel_nodes',
      help: 'Nodes by state (ready, draining, gone), as the leader sees it',
      labelNames: ['state'] as const,
      registers,
    })
    this.#seconds = new Histogram({
      name: 'postel_ip_manager_reconcile_seconds',
      help: 'How long it took to look at nodes and source IPs and to act on it',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    })
    this.#failures = new Counter({
      name: 'postel_ip_manager_reconcile_failures_total',
      help: 'Looks at nodes and source IPs that failed',
      registers,
    })
    this.#errors = new Counter({
      name: 'postel_ip_provider_errors_total',
      help: 'Calls to the provider of addresses that failed, by kind',
      labelNames: ['kind'] as const,
      registers,
    })
  }

  /** It cannot start yet. */
  waiting(reason: string): void {
    this.#log.warn({ event: 'waiting', reason })
  }

  standingBy(): void {
    this.#log.info({ event: 'standing_by' }, 'another process leads')
  }

  leading(): void {
    this.#leader.set(1)
    this.#log.info({ event: 'leading' }, 'this process leads')
  }

  /** What only a leader knows is not known any more. */
  ledNoMore(): void {
    this.#leader.set(0)
    this.#unheld.set(0)
    this.#open.set(0)
    this.#nodes.reset()
    this.#log.info({ event: 'leads_no_more' })
  }

  leadershipLost(err: unknown): void {
    this.#log.warn({ event: 'leadership_lost', err }, 'nothing more is asked of the provider')
  }

  leadFailed(err: unknown): void {
    this.#log.warn({ event: 'lead_failed', err }, 'could not ask who leads')
  }

  observed({ nodes, ips, moves }: Fleet, deadMs: number): void {
    this.#unheld.set(ips.filter(({ state, heldBy }) => heldBy === null && sending.has(state)).length)
    this.#open.set(moves.length)
    const gone = nodes.filter(({ silentMs }) => silentMs >= deadMs)
    const draining = nodes.filter(({ state, silentMs }) => state === 'draining' && silentMs < deadMs)
    this.#nodes.set({ state: 'gone' }, gone.length)
    this.#nodes.set({ state: 'draining' }, draining.length)
    this.#nodes.set({ state: 'ready' }, nodes.length - gone.length - draining.length)
  }

  reconciled(seconds: number): void {
    this.#seconds.observe(seconds)
  }

  reconcileFailed(err: unknown): void {
    this.#failures.inc()
    this.#log.warn({ event: 'reconcile_failed', err }, 'could not look at nodes and IPs, trying again')
  }

  adopted(ip: string, node: string): void {
    this.#log.info({ event: 'ip_adopted', ip, node }, 'assigned to the node that has it')
  }

  begun(ip: string, from: string | null, to: string, reason: MoveReason): void {
    this.#log.info({ event: 'ip_move_begun', ip, from, to, reason })
  }

  redirected({ id, ipId, from, to }: OpenMove, now: string, why: string): void {
    this.#log.warn({ event: 'ip_move_redirected', move: id, ip_id: ipId, from, to: now, instead_of: to, why })
  }

  cancelled({ id, ipId, from, to, reason }: OpenMove, why: string): void {
    this.#moves.inc({ result: 'cancelled', reason })
    this.#log.warn({ event: 'ip_move_cancelled', move: id, ip_id: ipId, from, to, reason, why })
  }

  moved(ip: string, { id, from, to, reason, attempts, startedMs }: OpenMove): void {
    this.#moves.inc({ result: 'done', reason })
    this.#log.info({
      event: 'ip_moved',
      move: id,
      ip,
      from,
      to,
      reason,
      attempts: attempts + 1,
      begun_ms_ago: startedMs,
    })
  }

  /** Of a step that is only not finished yet nobody needs to hear. */
  attachFailed(ip: string, { id, to, reason, attempts }: OpenMove, err: unknown): void {
    const kind = err instanceof ProviderError ? err.kind : 'fault'
    this.#errors.inc({ kind })
    this.#moves.inc({ result: 'failed', reason })
    const level = kind === 'unfinished' && attempts < 10 ? 'debug' : 'warn'
    this.#log[level]({ event: 'ip_attach_failed', move: id, ip, to, reason, attempts: attempts + 1, err })
  }

  listFailed(err: unknown): void {
    this.#errors.inc({ kind: err instanceof ProviderError ? err.kind : 'fault' })
    this.#log.warn({ event: 'list_failed', err }, 'the provider did not list its addresses and servers')
  }

  wouldDo(actions: readonly Action[]): void {
    this.#log.info({ event: 'would_do', actions: actions.map(inWords) }, 'a dry run: nothing is done')
  }

  nodesForgotten(nodes: number): void {
    if (nodes > 0) this.#log.info({ event: 'nodes_forgotten', nodes })
  }
}

function inWords(action: Action): string {
  switch (action.kind) {
    case 'adopt':
      return `assign ${action.ip.address} to ${action.node}, which has it`
    case 'begin':
      return `move ${action.ip.address} from ${action.from ?? 'nowhere'} to ${action.to}: ${action.reason}`
    case 'redirect':
      return `send move ${action.move.id} to ${action.to}: ${action.why}`
    case 'cancel':
    case 'withdraw':
      return `give move ${action.move.id} up: ${action.why}`
    case 'attach':
      return `attach ${action.ip.address} to server ${action.serverId}`
    default:
      return action satisfies never
  }
}
