-- retry_delay: how long to wait after the p_attempts-th try failed. p_schedule is in seconds and its last entry
-- repeats; null means the default. Up to a tenth is added or taken away by chance, so that what failed together does
-- not come back together.
create or replace function postel.retry_delay(p_schedule integer[], p_attempts integer) returns interval
language sql volatile parallel safe
as $$
  select make_interval(
    secs => s.schedule[least(greatest(p_attempts, 1), cardinality(s.schedule))] * (0.9 + 0.2 * random())
  )
  from (
    select coalesce(
      nullif(p_schedule, '{}'),
      array[60, 300, 900, 1800, 3600, 7200, 14400, 28800]
    ) as schedule
  ) as s
$$;
comment on function postel.retry_delay(integer[], integer) is 'The wait before the next try, with jitter.';
