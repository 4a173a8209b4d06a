-- elapsed_ms: milliseconds from one time to another; null when the first is not known.
create or replace function postel.elapsed_ms(p_from timestamptz, p_to timestamptz) returns bigint
language sql immutable
as $$
  select (extract(epoch from p_to - p_from) * 1000)::bigint
$$;
comment on function postel.elapsed_ms(timestamptz, timestamptz) is 'Milliseconds from one time to another.';
