-- pin_ip: this source IP belongs on this node, whatever the IP manager would do: it moves there, and stays there even while the node is
-- gone. Where nobody manages IPs, only this node may hold it from now on.
create or replace function postel.pin_ip(ip inet, node text) returns void
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  update postel.ip_addresses a set node_name = postel.node_named(node), pinned = true where a.id = postel.source_ip(ip);
  perform pg_notify('postel_control', 'ips');
end
$$;
comment on function postel.pin_ip(inet, text) is
  'Ties a source IP to a node: select postel.pin_ip(''192.0.2.1'', ''mail-1'').';
