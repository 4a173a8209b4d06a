-- renew_ips: extends all holds of a process and says which IPs those are, in which state. An IP that is missing from
-- the answer is held by somebody else, or by nobody: stop sending from it. The state `moving` is none of the IP: it belongs on
-- another node from now on, so start nothing new, end what is in flight, and then release it. Such a hold is not extended
-- once it has run out.
create or replace function postel.renew_ips(
  p_process_id uuid,
  p_hold_seconds integer default 30,
  p_now timestamptz default clock_timestamp()
)
returns table (ip_id integer, state text, ehlo_name text)
language sql
as $$
  with alive as (
    update postel.outbound_processes p set heartbeat_at = p_now where p.id = p_process_id
    returning p.node_name
  ),
  seen as (
    update postel.nodes n
    set last_seen_at = p_now, alive_since = postel.alive_since(n.alive_since, n.last_seen_at, p_now)
    from alive
    where n.name = alive.node_name
  ),
  ours as (
    select
      h.ip_id, a.ehlo_name,
      case when a.moving_to is not null or a.node_name <> alive.node_name then 'moving' else a.state end as state
    from postel.ip_holders h
    join postel.ip_addresses a on a.id = h.ip_id
    left join alive on true
    where h.process_id = p_process_id
  ),
  renewed as (
    update postel.ip_holders h
    set expires_at = p_now + make_interval(secs => p_hold_seconds)
    from ours
    where h.ip_id = ours.ip_id and h.process_id = p_process_id and (h.expires_at > p_now or ours.state <> 'moving')
    returning h.ip_id, ours.state, ours.ehlo_name
  )
  select r.ip_id, r.state, r.ehlo_name from renewed r
$$;
comment on function postel.renew_ips(uuid, integer, timestamptz) is
  'Extends the holds of an outbound process; the state `moving` asks it to let go of an IP.';
