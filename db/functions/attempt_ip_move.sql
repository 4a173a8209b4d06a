-- attempt_ip_move: writes down that the provider is about to be asked to move the IP, so that a successor goes on with it. False,
-- and nothing may be asked: the move has ended, goes elsewhere, or somebody still holds the IP.
create or replace function postel.attempt_ip_move(
  p_move_id bigint,
  p_to_node text,
  p_now timestamptz default clock_timestamp()
)
returns boolean
language plpgsql
as $$
begin
  update postel.ip_moves m set state = 'attaching', attempts = m.attempts + 1, retry_at = null
  where m.id = p_move_id and m.ended_at is null and m.to_node = p_to_node
    and not exists (select from postel.ip_holders h where h.ip_id = m.ip_id and h.expires_at > p_now);
  return found;
end
$$;
comment on function postel.attempt_ip_move(bigint, text, timestamptz) is
  'Writes down that the provider is about to be asked to move a source IP; the IP manager calls it.';
