-- nodes_now: a line per outbound process, and per node that has none: when it was last heard, what it holds and sends, and whether
-- it is being drained or free.
create view postel.nodes_now as
select
  n.name as node,
  case
    when p.id is null then 'no outbound process'
    when p.heartbeat_at > now() - interval '20 s' then 'alive'
    else 'silent since ' || date_trunc('second', now() - p.heartbeat_at)
  end as state,
  coalesce(p.heartbeat_at, n.last_seen_at) as last_seen_at,
  p.started_at,
  coalesce(h.ips, '{}') as holds,
  coalesce(cardinality(p.in_flight), 0) as in_flight,
  p.id as process_id,
  case
    when n.state = 'draining' and on_it.ips = 0 then 'free: ' || n.state_reason
    when n.state = 'draining' then format('draining, %s source IPs still here: %s', on_it.ips, n.state_reason)
  end as drain,
  case
    when n.agent_seen_at > now() - interval '20 s' then 'alive'
    else 'silent since ' || date_trunc('second', now() - n.agent_seen_at)
  end as interface_agent,
  n.server_id as server
from postel.nodes n
left join postel.outbound_processes p on p.node_name = n.name
left join lateral (
  select array_agg(host(a.address) order by a.address) as ips
  from postel.ip_holders h
  join postel.ip_addresses a on a.id = h.ip_id
  where h.process_id = p.id and h.expires_at > now()
) as h on true
cross join lateral (
  select count(*) as ips from postel.ips_on_node(n.name) where n.state = 'draining'
) as on_it
order by n.name, p.started_at;
comment on view postel.nodes_now is 'Each node and its outbound processes: alive or silent, the source IPs held, what is being sent, whether it is free after drain_node.';
