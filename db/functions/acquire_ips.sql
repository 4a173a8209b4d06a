-- acquire_ips: gives the process every IP that its node has (p_addresses), that may be held there, and that nobody
-- holds any more. An expired hold of another process is taken over with a higher epoch, and what that process had in
-- flight is treated as tried (take_over). An IP that somebody holds is left alone, and so is one on its way to a node
-- (moving_to): it can be held once it has arrived. Returns the IPs newly held.
create or replace function postel.acquire_ips(
  p_process_id uuid,
  p_node_name text,
  p_addresses inet[],
  p_hold_seconds integer default 30,
  p_now timestamptz default clock_timestamp()
)
returns table (ip_id integer, address inet, ehlo_name text, state text, epoch bigint)
language plpgsql
as $$
begin
  insert into postel.nodes as n (name, last_seen_at, alive_since, addresses)
  values (p_node_name, p_now, p_now, p_addresses)
  on conflict (name) do update set
    last_seen_at = excluded.last_seen_at,
    alive_since = postel.alive_since(n.alive_since, n.last_seen_at, p_now),
    addresses = excluded.addresses;

  insert into postel.outbound_processes (id, node_name, heartbeat_at) values (p_process_id, p_node_name, p_now)
  on conflict (id) do update set heartbeat_at = excluded.heartbeat_at;

  return query
  with candidates as materialized (
    select a.id, a.address, a.ehlo_name, a.state, h.process_id as former
    from postel.ip_addresses a
    left join postel.ip_holders h on h.ip_id = a.id
    where a.address = any (p_addresses)
      and a.state <> 'retired'
      and (a.node_name is null or a.node_name = p_node_name)
      and a.moving_to is null
      and (h.ip_id is null or h.expires_at <= p_now)
    order by a.id
    -- A move that begins at this moment is waited for, and then seen
    for share of a
  ),
  held as (
    insert into postel.ip_holders as h (ip_id, process_id, epoch, acquired_at, expires_at)
    select c.id, p_process_id, 1, p_now, p_now + make_interval(secs => p_hold_seconds)
    from candidates c
    on conflict on constraint ip_holders_pkey do update
    set
      process_id = excluded.process_id,
      epoch = h.epoch + 1,
      acquired_at = excluded.acquired_at,
      expires_at = excluded.expires_at
    where h.expires_at <= p_now
    returning h.ip_id, h.epoch
  ),
  taken as materialized (
    select postel.take_over(array_agg(held.ip_id), c.former, p_now) as moved
    from held
    join candidates c on c.id = held.ip_id
    where c.former is not null
    group by c.former
  )
  select c.id, c.address, c.ehlo_name, c.state, held.epoch
  from held
  join candidates c on c.id = held.ip_id
  where (select count(*) from taken) >= 0;
end
$$;
comment on function postel.acquire_ips(uuid, text, inet[], integer, timestamptz) is
  'Takes the lease on free source IPs of this node; outbound calls it at start and every few seconds.';
