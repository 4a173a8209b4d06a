-- resume_ip: this source IP is active again, whatever it was. Nothing moves back to it; its pool's new mail is spread over it
-- from now on. Returns how many rows are queued on it.
create or replace function postel.resume_ip(ip inet) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_id integer := postel.source_ip(ip);
begin
  update postel.ip_addresses a set state = 'active', state_reason = null where a.id = v_id;
  perform pg_notify('postel_control', 'ips');
  perform postel.notify_outbound(array[v_id]);
  return (select count(*) from postel.queue q where q.ip_id = v_id);
end
$$;
comment on function postel.resume_ip(inet) is
  'Makes a source IP active again: select postel.resume_ip(''192.0.2.1''). Returns how many rows are queued on it.';
