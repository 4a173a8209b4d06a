-- pause_ip: nothing leaves from this source IP any more, beyond what is being sent at this moment, and its queue moves to
-- the other IPs of its pool; where there is none the mail waits. Returns how many rows move.
create or replace function postel.pause_ip(ip inet, reason text) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_id integer := postel.source_ip(ip);
  v_reason text := postel.signed_reason(reason);
begin
  update postel.ip_addresses a set state = 'paused', state_reason = v_reason
  where a.id = v_id and a.state <> 'retired';
  if not found then
    raise exception '% is retired', host(ip) using errcode = 'invalid_parameter_value',
      hint = 'Nothing leaves from it, and its queue has moved or moves within minutes.';
  end if;
  perform pg_notify('postel_control', 'ips');
  return postel.move_ip_queue(v_id, null, 'paused: ' || v_reason);
end
$$;
comment on function postel.pause_ip(inet, text) is
  'Stops a source IP at once and moves its queue within the pool: select postel.pause_ip(''192.0.2.1'', ''listed at …''). Returns how many rows move.';
