-- ips_now: a line per source IP: its pool and state with the reason, the node that holds it and since when, what is queued and in
-- flight on it, the sites that slow it down, refuse it or cannot be reached from it, the node that it belongs on, and what DNS says of it.
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
  ) as sites,
  a.node_name as assigned_to,
  coalesce(
    'moving to ' || a.moving_to || ': ' || m.reason || coalesce('; ' || m.error, ''),
    a.placement_note,
    case
      when a.node_name is not null and h.expires_at > now() is not true and a.state <> 'retired'
        then 'no process there holds it: the interfaces of ' || a.node_name || ' may not have it'
    end,
    case when a.pinned and a.node_name is not null then 'pinned' end
  ) as placement,
  case when c.ptr_ok and c.forward_ok and c.ehlo_ok then 'ok' else coalesce(c.problem, c.fault) end as dns
from postel.ip_addresses a
join postel.ip_pools l on l.id = a.pool_id
left join postel.ip_holders h on h.ip_id = a.id
left join postel.outbound_processes p on p.id = h.process_id
left join postel.ip_checks c on c.ip_id = a.id
left join postel.ip_moves m on m.ip_id = a.id and m.ended_at is null
left join (
  select
    q.ip_id, count(*) as queued,
    count(*) filter (where q.id = any ((select postel.in_flight())::bigint[])) as in_flight
  from postel.queue q
  group by q.ip_id
) as q on q.ip_id = a.id
order by l.name, a.address;
comment on view postel.ips_now is 'Each source IP: state and why, who holds it, its queue, which sites slow or refuse it, where it belongs, and what is wrong with it in DNS.';
