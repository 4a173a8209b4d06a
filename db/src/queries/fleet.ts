/** What the IP manager and the interface agents ask of Postgres: nodes, source IPs, moves. */
import type { Sql } from '../client.ts'

/** A node as the manager sees it, by the database's clock. */
export type FleetNode = {
  name: string
  /** Draining: a person wants it free of source IPs. */
  state: 'ready' | 'draining'
  /** Milliseconds since its outbound process was last heard of. */
  silentMs: number
  /** Milliseconds since it has been heard of without a break. */
  aliveMs: number
  /**
   * The addresses of its interfaces, ours and others, as its agent last said or, where none has been heard of for 30 s, its outbound
   * process, if that is newer.
   */
  addresses: readonly string[]
  /** Milliseconds since its interface agent was last heard of; null: it has never had one, a human sees to its addresses. */
  agentSilentMs: number | null
}

/** One of our source IPs that an interface agent must see to; `wanted`: on an interface of this node, or on none. */
export type AddressOrder = { address: string; wanted: boolean }

/**
 * A round of an interface agent, every 2 s or so and after each change that it made: says what its node's interfaces have, and
 * gets what must be there and what must go. Source IPs that are not named are left as they are. An address is wanted only once
 * nobody else holds it, and goes only once this node's sender has let go of it.
 */
export function reportAddresses(
  sql: Sql,
  nodeName: string,
  present: readonly string[],
): Promise<AddressOrder[]> {
  return sql<AddressOrder[]>`
    select host(r.address) as address, r.wanted
    from postel.report_addresses(${nodeName}, ${present as string[]}::text[]::inet[]) as r
    order by r.address`
}

/** A source IP that has not been retired. */
export type FleetIp = {
  id: number
  address: string
  poolId: number
  state: 'active' | 'warming' | 'paused' | 'quarantined' | 'draining'
  /** The node that it is assigned to. */
  node: string | null
  /** A person chose that node. */
  pinned: boolean
  /** The node of the process that holds it at this moment; null: nobody does. */
  heldBy: string | null
  /** Why its last move was given up, less than an hour ago and after `triesMax` tries; null: it was not. */
  gaveUp: string | null
}

/** After so many tries in vain a move is given up that does not have to be. */
export const triesMax = 8

export const moveReasons = ['unassigned', 'node gone', 'node draining', 'spread', 'pinned', 'astray'] as const
export type MoveReason = (typeof moveReasons)[number]

/** A move that has not ended. */
export type OpenMove = {
  id: number
  ipId: number
  from: string | null
  to: string
  reason: MoveReason
  /** Attaching: the provider may have been asked. Releasing: surely nothing was asked of it. */
  state: 'releasing' | 'attaching'
  attempts: number
  /** Why the last call did not move it. */
  error: string | null
  /** Milliseconds until the provider may be asked again; 0: now. */
  retryInMs: number
  startedMs: number
}

export type Fleet = { nodes: FleetNode[]; ips: FleetIp[]; moves: OpenMove[] }

/** What is written down for people to see. */
export type FleetNotes = {
  ips: readonly { id: number; provider_id: string | null; note: string | null }[]
  nodes: readonly { name: string; server_id: string | null }[]
}

/** Runs a statement and gives its rows: the leader's own connection. */
export type Query = <Row extends Record<string, unknown>>(
  text: string,
  values?: readonly unknown[],
) => Promise<Row[]>

const observe = `
  with now as materialized (select clock_timestamp() as at)
  select
    (extract(epoch from now.at) * 1000)::float8 as "nowMs",
    (
      select coalesce(json_agg(json_build_object(
        'name', n.name,
        'state', n.state,
        'silentMs', postel.elapsed_ms(n.last_seen_at, now.at),
        'aliveMs', postel.elapsed_ms(coalesce(n.alive_since, n.created_at), now.at),
        'addresses', (
          select coalesce(json_agg(host(i) order by i), '[]')
          from unnest(
            case
              when n.agent_seen_at > least(now.at - interval '30 s', n.last_seen_at) then n.agent_addresses
              else n.addresses
            end
          ) as i
        ),
        'agentSilentMs', postel.elapsed_ms(n.agent_seen_at, now.at)
      ) order by n.name), '[]')
      from postel.nodes n
    ) as nodes,
    (
      select coalesce(json_agg(json_build_object(
        'id', a.id,
        'address', host(a.address),
        'poolId', a.pool_id,
        'state', a.state,
        'node', a.node_name,
        'pinned', a.pinned and a.node_name is not null,
        'heldBy', case when h.ip_id is not null then coalesce(p.node_name, '') end,
        'gaveUp', g.why
      ) order by a.pool_id, a.address), '[]')
      from postel.ip_addresses a
      left join postel.ip_holders h on h.ip_id = a.id and h.expires_at > now.at
      left join postel.outbound_processes p on p.id = h.process_id
      left join (
        select distinct on (m.ip_id)
          m.ip_id, case when m.state = 'cancelled' and m.attempts >= ${triesMax} then m.error end as why
        from postel.ip_moves m
        where m.ended_at > now.at - interval '1 hour'
        order by m.ip_id, m.ended_at desc, m.id desc
      ) as g on g.ip_id = a.id
      where a.state <> 'retired'
    ) as ips,
    (
      select coalesce(json_agg(json_build_object(
        'id', m.id,
        'ipId', m.ip_id,
        'from', m.from_node,
        'to', m.to_node,
        'reason', m.reason,
        'state', m.state,
        'attempts', m.attempts,
        'error', m.error,
        'retryInMs', greatest(0, -postel.elapsed_ms(coalesce(m.retry_at, now.at), now.at)),
        'startedMs', postel.elapsed_ms(m.started_at, now.at)
      ) order by m.id), '[]')
      from postel.ip_moves m
      where m.ended_at is null
    ) as moves
  from now`

/** What the IP manager asks, over the connection on which it leads. Each call is one transaction. */
export class FleetQueries {
  readonly #query: Query

  constructor(query: Query) {
    this.#query = query
  }

  /** Nodes, source IPs and open moves as they are at one moment; which, by the database's clock, says nowMs. */
  async observe(): Promise<Fleet & { nowMs: number }> {
    const [row] = await this.#query<Fleet & { nowMs: number }>(observe)
    return row!
  }

  /** The move's id; undefined when the IP is not as it was any more. See postel.begin_ip_move. */
  async begin(
    ip: Pick<FleetIp, 'id' | 'node'>,
    from: string | null,
    to: string,
    reason: MoveReason,
  ): Promise<number | undefined> {
    const [row] = await this.#query<{ id: string | null }>(
      'select postel.begin_ip_move($1, $2, $3, $4, $5) as id',
      [ip.id, ip.node, from, to, reason],
    )
    return row!.id === null ? undefined : Number(row!.id)
  }

  /** Writes the intent down; false: the provider must not be asked. See postel.attempt_ip_move. */
  attempt(moveId: number, to: string): Promise<boolean> {
    return this.#yes('select postel.attempt_ip_move($1, $2) as yes', [moveId, to])
  }

  async retry(moveId: number, error: string, afterMs: number): Promise<void> {
    await this.#query('select postel.retry_ip_move($1, $2, $3)', [moveId, error, Math.round(afterMs)])
  }

  /** As retry, where nothing was asked of the provider, then or before. See postel.postpone_ip_move. */
  async postpone(moveId: number, error: string, afterMs: number): Promise<void> {
    await this.#query('select postel.postpone_ip_move($1, $2, $3)', [moveId, error, Math.round(afterMs)])
  }

  redirect(moveId: number, to: string, why: string): Promise<boolean> {
    return this.#yes('select postel.redirect_ip_move($1, $2, $3) as yes', [moveId, to, why])
  }

  finish(moveId: number, to: string): Promise<boolean> {
    return this.#yes('select postel.finish_ip_move($1, $2) as yes', [moveId, to])
  }

  cancel(moveId: number, why: string): Promise<boolean> {
    return this.#yes('select postel.cancel_ip_move($1, $2) as yes', [moveId, why])
  }

  /** Gives the move up unless the provider may have been asked: false then. See postel.withdraw_ip_move. */
  withdraw(moveId: number, why: string): Promise<boolean> {
    return this.#yes('select postel.withdraw_ip_move($1, $2) as yes', [moveId, why])
  }

  adopt(ipId: number, node: string): Promise<boolean> {
    return this.#yes('select postel.adopt_ip($1, $2) as yes', [ipId, node])
  }

  async note(notes: FleetNotes): Promise<void> {
    await this.#query('select postel.note_fleet($1::text::jsonb, $2::text::jsonb)', [
      JSON.stringify(notes.ips),
      JSON.stringify(notes.nodes),
    ])
  }

  /** Drops nodes that have long been gone: how many. */
  async forgetNodes(): Promise<number> {
    const [row] = await this.#query<{ nodes: number }>('select postel.forget_nodes() as nodes')
    return row!.nodes
  }

  async #yes(text: string, values: readonly unknown[]): Promise<boolean> {
    const [row] = await this.#query<{ yes: boolean }>(text, values)
    return row!.yes
  }
}
