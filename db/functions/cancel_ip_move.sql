-- cancel_ip_move: gives a move up, wherever the IP is now; it stays assigned as it was. False: the move has ended.
create or replace function postel.cancel_ip_move(
  p_move_id bigint,
  p_why text,
  p_now timestamptz default clock_timestamp()
)
returns boolean
language plpgsql
as $$
declare
  v_ip_id integer;
begin
  update postel.ip_moves m set state = 'cancelled', error = p_why, retry_at = null, ended_at = p_now
  where m.id = p_move_id and m.ended_at is null
  returning m.ip_id into v_ip_id;
  if not found then
    return false;
  end if;
  update postel.ip_addresses a set moving_to = null where a.id = v_ip_id;
  perform pg_notify('postel_control', 'ips');
  return true;
end
$$;
comment on function postel.cancel_ip_move(bigint, text, timestamptz) is
  'Gives up the move of a source IP; the IP manager calls it.';
