-- renew_ips: extends all holds of a process and says which IPs those are, in which state. An IP that is missing from
-- the answer is held by somebody else, or by nobody: stop sending from it.
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
    update postel.nodes n set last_seen_at = p_now from alive where n.name = alive.node_name
  ),
  renewed as (
    update postel.ip_holders h
    set expires_at = p_now + make_interval(secs => p_hold_seconds)
    where h.process_id = p_process_id
    returning h.ip_id
  )
  select a.id, a.state, a.ehlo_name
  from renewed r
  join postel.ip_addresses a on a.id = r.ip_id
$$;
comment on function postel.renew_ips(uuid, integer, timestamptz) is 'Extends the holds of an outbound process.';
