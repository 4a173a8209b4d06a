-- resume_node: the node may have source IPs again. Those that left it come back only where others have more than their share.
create or replace function postel.resume_node(node text) returns void
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
begin
  update postel.nodes n set state = 'ready', state_reason = null where n.name = postel.node_named(node);
  perform pg_notify('postel_control', 'ips');
end
$$;
comment on function postel.resume_node(text) is
  'Ends drain_node: select postel.resume_node(''mail-1'').';
