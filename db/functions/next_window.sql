-- next_window: how many ids the next chunk should look at, after one that looked at p_window and changed so many recipients:
-- more where little is met.
create or replace function postel.next_window(p_window bigint, p_recipients bigint) returns integer
language sql immutable parallel safe
as $$
  select case when p_recipients < 600 then least(greatest(p_window, 20000) * 2, 200000) else 20000 end::integer
$$;
comment on function postel.next_window(bigint, bigint) is 'How many ids the next chunk of an operation should look at.';
