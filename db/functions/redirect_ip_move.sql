-- redirect_ip_move: a move that has not ended goes to another node. False: it has ended.
create or replace function postel.redirect_ip_move(p_move_id bigint, p_to_node text, p_why text) returns boolean
language plpgsql
as $$
declare
  v_ip_id integer;
begin
  update postel.ip_moves m set to_node = p_to_node, error = p_why, retry_at = null
  where m.id = p_move_id and m.ended_at is null
  returning m.ip_id into v_ip_id;
  if not found then
    return false;
  end if;
  update postel.ip_addresses a set moving_to = p_to_node where a.id = v_ip_id;
  return true;
end
$$;
comment on function postel.redirect_ip_move(bigint, text, text) is
  'Sends a source IP that is moving to another node; the IP manager calls it.';
