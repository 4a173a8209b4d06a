-- begin_ip_move: from now on the IP is on its way to a node: its holder lets go of it, nobody else may take it, and it gets no new
-- mail while its pool has another. Nothing happens, and the answer is null, when the IP is moving already, is retired, or is not
-- assigned to p_expected_node any more. Returns the move's id.
create or replace function postel.begin_ip_move(
  p_ip_id integer,
  p_expected_node text,
  p_from_node text,
  p_to_node text,
  p_reason text
)
returns bigint
language plpgsql
as $$
declare
  v_id bigint;
begin
  update postel.ip_addresses a set moving_to = p_to_node
  where a.id = p_ip_id and a.moving_to is null and a.state <> 'retired'
    and a.node_name is not distinct from p_expected_node;
  if not found then
    return null;
  end if;
  insert into postel.ip_moves (ip_id, from_node, to_node, reason) values (p_ip_id, p_from_node, p_to_node, p_reason)
  returning id into v_id;
  perform pg_notify('postel_control', 'ips');
  return v_id;
end
$$;
comment on function postel.begin_ip_move(integer, text, text, text, text) is
  'Begins the move of a source IP to a node; the IP manager calls it.';
