-- adopt_ip: an IP that nobody has assigned belongs to the node that has it: from now on no other may hold it. False: somebody has
-- assigned or moved it meanwhile.
create or replace function postel.adopt_ip(p_ip_id integer, p_node text) returns boolean
language plpgsql
as $$
begin
  update postel.ip_addresses a set node_name = p_node, pinned = false
  where a.id = p_ip_id and a.node_name is null and a.moving_to is null;
  if found then
    perform pg_notify('postel_control', 'ips');
  end if;
  return found;
end
$$;
comment on function postel.adopt_ip(integer, text) is
  'Assigns a source IP to the node that has it; the IP manager calls it.';
