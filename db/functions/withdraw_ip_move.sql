-- withdraw_ip_move: gives a move up for which surely nothing was asked of the provider: the IP is where it was, and its node may hold it
-- again. False: the move has ended, or the provider has been asked, or is about to be.
create or replace function postel.withdraw_ip_move(
  p_move_id bigint,
  p_why text,
  p_now timestamptz default clock_timestamp()
)
returns boolean
language plpgsql
as $$
begin
  perform from postel.ip_moves m where m.id = p_move_id and m.state = 'releasing' for update;
  return found and postel.cancel_ip_move(p_move_id, p_why, p_now);
end
$$;
comment on function postel.withdraw_ip_move(bigint, text, timestamptz) is
  'Gives up the move of a source IP that the provider was never asked for; the IP manager calls it.';
