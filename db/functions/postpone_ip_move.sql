-- postpone_ip_move: this try ended, for this reason, before the provider was asked to change anything, and so did all before it: the move
-- can still be withdrawn. It is tried again after so many milliseconds.
create or replace function postel.postpone_ip_move(
  p_move_id bigint,
  p_error text,
  p_after_ms integer,
  p_now timestamptz default clock_timestamp()
)
returns void
language sql
as $$
  update postel.ip_moves m
  set state = 'releasing', error = p_error, retry_at = p_now + make_interval(secs => p_after_ms / 1000.0)
  where m.id = p_move_id and m.ended_at is null
$$;
comment on function postel.postpone_ip_move(bigint, text, integer, timestamptz) is
  'Why the provider was not asked to move a source IP, and when it is tried again; the IP manager calls it.';
