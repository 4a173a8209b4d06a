-- drain_node: a person wants the node free of source IPs. The IP manager moves them to other nodes, a few at a time, each once its holder
-- has ended what was in flight; what is queued on them goes with them. The node gets none until resume_node. Source IPs that a
-- person pinned to it stay. Returns how many IPs are to move.
create or replace function postel.drain_node(node text, reason text default null) returns bigint
language plpgsql
-- An operator has no rights on the tables, only on this
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
declare
  v_pinned text;
begin
  update postel.nodes n set state = 'draining', state_reason = postel.signed_reason(reason)
  where n.name = postel.node_named(node);
  perform pg_notify('postel_control', 'ips');
  select string_agg(host(a.address), ', ' order by a.address) into v_pinned
  from postel.ip_addresses a
  where a.node_name = node and a.pinned and a.state <> 'retired';
  if v_pinned is not null then
    raise notice 'pinned to %, so they stay: %', node, v_pinned
      using hint = 'select postel.unpin_ip(''…'') lets them go, postel.pin_ip(''…'', ''node'') takes them elsewhere.';
  end if;
  return (select count(*) from postel.ips_on_node(node) as i where not i.pinned);
end
$$;
comment on function postel.drain_node(text, text) is
  'Moves the source IPs of a node away and keeps it free: select postel.drain_node(''mail-1'', ''new kernel''). nodes_now says when it is free.';
