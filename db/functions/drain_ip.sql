-- drain_ip: this source IP gets no new mail, and its queue moves to the other IPs of its pool; what is left is still sent
-- from it, so that it can be taken away once it is empty. Returns how many rows move.
create or replace function postel.drain_ip(ip inet, reason text default null) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_id integer := postel.source_ip(ip);
  v_reason text := postel.signed_reason(reason);
begin
  update postel.ip_addresses a set state = 'draining', state_reason = v_reason
  where a.id = v_id and a.state <> 'retired';
  if not found then
    raise exception '% is retired', host(ip) using errcode = 'invalid_parameter_value',
      hint = 'Nothing leaves from it, and its queue has moved or moves within minutes.';
  end if;
  perform pg_notify('postel_control', 'ips');
  return postel.move_ip_queue(v_id, null, 'draining: ' || v_reason);
end
$$;
comment on function postel.drain_ip(inet, text) is
  'Gives a source IP no new mail and moves its queue within the pool: select postel.drain_ip(''192.0.2.1''). Returns how many rows move.';
