-- ips_now: a line per source IP: its pool and state with the reason, the node that holds it and since when, what is queued and in
-- flight on it, and the sites that slow it down, refuse it or cannot be reached from it.
create view postel.ips_now as
select
  a.address,
  l.name as pool,
  a.state,
  a.state_reason as reason,
  case when h.expires_at > now() then p.node_name end as node,
  case when h.expires_at > now() then date_trunc('second', now() - h.acquired_at) end as held_for,
  coalesce(q.queued, 0) as queued,
  coalesce(q.in_flight, 0) as in_flight,
  (
    select string_agg(t.trouble, '; ' order by s.site)
    from postel.ip_sites s
    cross join lateral postel.site_trouble(a.id, s.site) as t (trouble)
    where s.ip_id = a.id and t.trouble is not null
  ) as sites
from postel.ip_addresses a
join postel.ip_pools l on l.id = a.pool_id
left join postel.ip_holders h on h.ip_id = a.id
left join postel.outbound_processes p on p.id = h.process_id
left join (
  select
    q.ip_id, count(*) as queued,
    count(*) filter (where q.id = any ((select postel.in_flight())::bigint[])) as in_flight
  from postel.queue q
  group by q.ip_id
) as q on q.ip_id = a.id
order by l.name, a.address;
comment on view postel.ips_now is 'Each source IP: state and why, who holds it, its queue, and which sites slow or refuse it.';
