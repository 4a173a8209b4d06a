-- ip_moves_now: the moves of source IPs to nodes that have not ended, and those of the last day, newest first: why, how far, and what is
-- in the way.
create view postel.ip_moves_now as
select
  a.address,
  l.name as pool,
  m.from_node as "from",
  m.to_node as "to",
  m.reason,
  case
    when m.state = 'releasing' and h.expires_at > now() then 'waits for ' || coalesce(p.node_name, 'its holder') || ' to let go'
    when m.retry_at > now() then m.state || ', again in ' || date_trunc('second', m.retry_at - now())
    else m.state
  end as state,
  m.attempts,
  m.error,
  m.started_at,
  date_trunc('second', coalesce(m.ended_at, now()) - m.started_at) as took
from postel.ip_moves m
join postel.ip_addresses a on a.id = m.ip_id
join postel.ip_pools l on l.id = a.pool_id
left join postel.ip_holders h on h.ip_id = m.ip_id and m.ended_at is null
left join postel.outbound_processes p on p.id = h.process_id
where m.ended_at is null or m.ended_at > now() - interval '1 day'
order by (m.ended_at is null) desc, m.started_at desc, m.id desc;
comment on view postel.ip_moves_now is
  'Moves of source IPs between nodes, under way and of the last day: why, how far, what is in the way.';
