-- unpin_ip: the IP manager may move this source IP again; without one, any node that has it on an interface may hold it.
create or replace function postel.unpin_ip(ip inet) returns void
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  update postel.ip_addresses a set node_name = null, pinned = true where a.id = postel.source_ip(ip);
  perform pg_notify('postel_control', 'ips');
end
$$;
comment on function postel.unpin_ip(inet) is 'Ends pin_ip: select postel.unpin_ip(''192.0.2.1'').';
