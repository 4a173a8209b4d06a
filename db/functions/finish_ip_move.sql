-- finish_ip_move: the IP is attached to p_to_node and assigned to it: its outbound process may hold it. What a person pinned meanwhile
-- stays pinned. False: the move has ended, or goes elsewhere by now.
create or replace function postel.finish_ip_move(
  p_move_id bigint,
  p_to_node text,
  p_now timestamptz default clock_timestamp()
)
returns boolean
language plpgsql
as $$
declare
  v_ip_id integer;
begin
  update postel.ip_moves m set state = 'done', error = null, retry_at = null, ended_at = p_now
  where m.id = p_move_id and m.ended_at is null and m.to_node = p_to_node
  returning m.ip_id into v_ip_id;
  if not found then
    return false;
  end if;
  update postel.ip_addresses a
  set
    moving_to = null,
    node_name = case when a.pinned and a.node_name is not null then a.node_name else p_to_node end,
    pinned = a.pinned and a.node_name is not null
  where a.id = v_ip_id;
  perform pg_notify('postel_control', 'ips');
  return true;
end
$$;
comment on function postel.finish_ip_move(bigint, text, timestamptz) is
  'Ends the move of a source IP that has arrived; the IP manager calls it.';
