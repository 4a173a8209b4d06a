-- lifetime_seconds: how long a message is worth sending, from seconds (`600`) or an interval (`10m`, `2 hours`, `PT10M`);
-- null stays null. Raises outside of one second to 30 days.
create or replace function postel.lifetime_seconds(p_lifetime text) returns integer
language plpgsql stable strict
as $$
declare
  v_lifetime interval;
begin
  v_lifetime := case when p_lifetime ~ '^\s*\d+\s*$' then p_lifetime || ' s' else p_lifetime end::interval;
  if v_lifetime < interval '1 s' or v_lifetime > interval '30 days' then
    raise exception 'a message may expire in one second to 30 days, not in %', quote_literal(left(p_lifetime, 100))
      using errcode = 'invalid_parameter_value';
  end if;
  return floor(extract(epoch from v_lifetime));
end
$$;
comment on function postel.lifetime_seconds(text) is 'Seconds of `600`, `10m` or `2 hours`, for expires_in.';
