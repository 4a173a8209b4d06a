-- retry_ip_move: the provider did not move the IP, for this reason; it is asked again after so many milliseconds.
create or replace function postel.retry_ip_move(
  p_move_id bigint,
  p_error text,
  p_after_ms integer,
  p_now timestamptz default clock_timestamp()
)
returns void
language sql
as $$
  update postel.ip_moves m
  set error = p_error, retry_at = p_now + make_interval(secs => p_after_ms / 1000.0)
  where m.id = p_move_id and m.ended_at is null
$$;
comment on function postel.retry_ip_move(bigint, text, integer, timestamptz) is
  'Why the provider did not move a source IP, and when it is asked again; the IP manager calls it.';
