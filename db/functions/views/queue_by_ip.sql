-- queue_by_ip: a line per source IP: its state, who holds it, and what is queued and in flight on it.
create view postel.queue_by_ip as
select
  a.address,
  l.name as pool,
  a.state,
  p.node_name as held_by,
  h.expires_at > now() as hold_is_live,
  coalesce(q.queued, 0) as queued,
  q.oldest,
  (
    select count(*) from postel.queue f where f.ip_id = a.id and f.id = any (p.in_flight)
  ) as in_flight
from postel.ip_addresses a
join postel.ip_pools l on l.id = a.pool_id
left join postel.ip_holders h on h.ip_id = a.id
left join postel.outbound_processes p on p.id = h.process_id
left join (
  select ip_id, count(*) as queued, min(queued_at) as oldest from postel.queue group by ip_id
) as q on q.ip_id = a.id
order by l.name, a.address;
comment on view postel.queue_by_ip is 'Each source IP: state, holder, queued and in-flight mail.';
