-- forget_nodes: drops nodes that nobody has heard of for 30 days and that no source IP is assigned to, processes that died a day ago and
-- held nothing that another could take over, and moves that ended 90 days ago. Returns how many nodes.
create or replace function postel.forget_nodes(p_now timestamptz default clock_timestamp()) returns integer
language plpgsql
as $$
declare
  v_forgotten integer;
begin
  delete from postel.ip_moves m where m.ended_at < p_now - interval '90 days';
  delete from postel.outbound_processes p
  where p.heartbeat_at < p_now - interval '1 day'
    and not exists (select from postel.ip_holders h where h.process_id = p.id);
  delete from postel.nodes n
  where n.last_seen_at < p_now - interval '30 days'
    and coalesce(n.agent_seen_at, '-infinity') < p_now - interval '30 days'
    and not exists (select from postel.ip_addresses a where n.name in (a.node_name, a.moving_to))
    and not exists (select from postel.outbound_processes p where p.node_name = n.name);
  get diagnostics v_forgotten = row_count;
  return v_forgotten;
end
$$;
comment on function postel.forget_nodes(timestamptz) is
  'Drops nodes that have been gone for 30 days; the IP manager calls it.';
