/** How many source IPs each node has, of each pool and in all, and which node should have the next. */

/** Counts by node. Ties are broken by name, so that the same fleet always gives the same answer. */
export class Shares {
  readonly #ofPool = new Map<string, number>()
  readonly #total = new Map<string, number>()

  count(poolId: number, node: string): number {
    return this.#ofPool.get(`${poolId} ${node}`) ?? 0
  }

  total(node: string): number {
    return this.#total.get(node) ?? 0
  }

  add(poolId: number, node: string, ips = 1): void {
    this.#ofPool.set(`${poolId} ${node}`, this.count(poolId, node) + ips)
    this.#total.set(node, this.total(node) + ips)
  }

  move(poolId: number, from: string, to: string): void {
    this.add(poolId, from, -1)
    this.add(poolId, to)
  }

  /** The node with the fewest of the pool, then the fewest in all. */
  least(poolId: number, nodes: readonly string[]): string | undefined {
    return nodes.reduce<string | undefined>(
      (best, node) => (best === undefined || this.#compare(poolId, node, best) < 0 ? node : best),
      undefined,
    )
  }

  /** The node with the most of the pool, then the most in all. */
  most(poolId: number, nodes: readonly string[]): string | undefined {
    return nodes.reduce<string | undefined>(
      (best, node) => (best === undefined || this.#compare(poolId, node, best) > 0 ? node : best),
      undefined,
    )
  }

  #compare(poolId: number, one: string, other: string): number {
    return (
      this.count(poolId, one) - this.count(poolId, other) ||
      this.total(one) - this.total(other) ||
      (one < other ? -1 : 1)
    )
  }
}

/** An IP that may be moved to even out, and the node it is on. */
export type Movable = { poolId: number; node: string }

/**
 * The moves that even `shares` out: no node has two IPs of a pool more than another, and then none two more in all, as far as what
 * can be moved allows. Each evens something out by itself, in this order, so that any beginning of the list is worth doing.
 * IPs move from any of `from` to any of `to`. Changes `shares` accordingly.
 */
export function evenOut<Ip extends Movable>(
  shares: Shares,
  movable: readonly Ip[],
  from: readonly string[],
  to: readonly string[],
): { ip: Ip; to: string }[] {
  const left = new Set(movable)
  const moves: { ip: Ip; to: string }[] = []
  const pools = [...new Set(movable.map(({ poolId }) => poolId))].sort((a, b) => a - b)
  const onNode = (poolId: number, node: string) => {
    for (const ip of left) if (ip.poolId === poolId && ip.node === node) return ip
    return undefined
  }
  const move = (ip: Ip, target: string) => {
    left.delete(ip)
    shares.move(ip.poolId, ip.node, target)
    moves.push({ ip, to: target })
  }

  for (const poolId of pools)
    for (;;) {
      const low = shares.least(poolId, to)
      const high = shares.most(
        poolId,
        from.filter((node) => onNode(poolId, node)),
      )
      if (low === undefined || high === undefined) break
      if (shares.count(poolId, high) - shares.count(poolId, low) < 2) break
      move(onNode(poolId, high)!, low)
    }

  for (;;) {
    const swap = overall()
    if (!swap) return moves
    move(swap.ip, swap.to)
  }

  /** An IP of a pool that its node has more of than the target has, so that the pool stays even. */
  function overall(): { ip: Ip; to: string } | undefined {
    let best: { ip: Ip; to: string } | undefined
    let bestDifference = 1
    for (const high of from)
      for (const low of to) {
        const difference = shares.total(high) - shares.total(low)
        if (difference <= bestDifference) continue
        const poolId = pools.find(
          (pool) => shares.count(pool, high) > shares.count(pool, low) && onNode(pool, high),
        )
        if (poolId === undefined) continue
        best = { ip: onNode(poolId, high)!, to: low }
        bestDifference = difference
      }
    return best
  }
}
