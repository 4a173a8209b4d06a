-- ips_on_node: the source IPs that keep a node from being free: assigned to it (also those on their way to
-- another: they leave when they have arrived), or held by it.
create or replace function postel.ips_on_node(p_node text, p_now timestamptz default now())
returns table (address inet, pinned boolean)
language sql stable
-- Views call it as the person who reads them, who has no rights on the tables
security definer
set search_path = pg_catalog, postel, pg_temp
as $$
  select a.address, coalesce(a.pinned and a.node_name = p_node, false)
  from postel.ip_addresses a
  left join postel.ip_holders h on h.ip_id = a.id and h.expires_at > p_now
  left join postel.outbound_processes p on p.id = h.process_id
  where a.state <> 'retired' and (a.node_name = p_node or p.node_name = p_node)
  order by a.address
$$;
comment on function postel.ips_on_node(text, timestamptz) is 'The source IPs that keep a node from being free.';
